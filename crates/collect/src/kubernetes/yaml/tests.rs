use super::*;

fn read(text: &str) -> Vec<Read> {
    let mut out = Vec::new();
    documents(text.as_bytes(), |one| out.push(one)).unwrap();
    out
}

#[test]
fn smoke() {
    for one in read("a: 1\nb: [x, {c: yes}]\n---\n# none\n---\nk: 0755\n") {
        println!("{one:?}");
    }
}
