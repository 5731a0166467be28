//! The redactor: whatever stands around a secret, the secret does not come out.

use seaworthy_collect::redact::MOST_KEPT;

use super::engine::REDACTOR;

/// A password that is no word, and that no input holds by accident.
const PASSWORD: &str = "Qz7-kept4nowhere";
/// A token in a form that is known without any name.
const TOKEN: &str = "ghp_x8Rw2LqT5vKz0NcYb7HdJ4sGfA6eMu1PoiQW";

fn assert_hidden(shown: &str, secret: &str) {
    assert!(!shown.contains(secret), "{secret} in {shown:?}");
    assert!(shown.len() <= MOST_KEPT + 64, "{} bytes are kept", shown.len());
}

/// Any text through every door: and what is kept is bounded.
pub fn any(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = REDACTOR.text(&text);
    assert!(shown.len() <= MOST_KEPT + 64, "{} bytes are kept", shown.len());
    REDACTOR.secrets_in(&text);
    REDACTOR.url(&text);
    REDACTOR.env(&text);
    let (name, value) = text.split_once('\n').unwrap_or((&text, ""));
    REDACTOR.option(name, value);
    REDACTOR.classify(name, value);
    let words: Vec<&str> = text.split('\n').collect();
    assert!(REDACTOR.argv(&words).len() <= words.len());
}

/// Two pieces of text, lines of `%%` between them, around secrets in the forms in which people write them.
pub fn planted(data: &[u8]) {
    let [before, after] = super::pieces(data);
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    // What already holds them would show them for a reason of its own.
    if before.contains("Qz7") || after.contains("Qz7") || before.contains("ghp_") || after.contains("ghp_") {
        return;
    }
    assert_hidden(&REDACTOR.text(&format!("{before} {TOKEN} {after}")), TOKEN);
    assert_hidden(&REDACTOR.text(&format!("{before}\nDB_PASSWORD={PASSWORD}\n{after}")), PASSWORD);
    assert_hidden(&REDACTOR.text(&format!("{before}\nhttps://user:{PASSWORD}@example.com/x\n{after}")), PASSWORD);
    assert_hidden(&REDACTOR.url(&format!("https://user:{PASSWORD}@{after}")), PASSWORD);
    for between in [",", "/", "?", "#", "@", ":", "!", "$&()*+;="] {
        let url = format!("https://user:Q{between}{PASSWORD}{between}z@example.com:8080/x");
        assert_hidden(&REDACTOR.url(&url), PASSWORD);
        assert_hidden(&REDACTOR.text(&format!("{before}\n{url}\n{after}")), PASSWORD);
    }
    assert_hidden(&REDACTOR.option("splunk-token", &format!("{TOKEN} {after}")), TOKEN);
    let env = REDACTOR.env(&format!("{before}={PASSWORD}"));
    assert_hidden(&format!("{env:?}"), PASSWORD);
    let words: Vec<&str> =
        before.split('\n').take(64).chain(["--password", PASSWORD]).chain(after.split('\n').take(64)).collect();
    assert_hidden_all(&REDACTOR.argv(&words));
    let joined = format!("--db-password={PASSWORD}");
    let words: Vec<&str> =
        before.split('\n').take(64).chain([joined.as_str()]).chain(after.split('\n').take(64)).collect();
    assert_hidden_all(&REDACTOR.argv(&words));
}

fn assert_hidden_all(words: &[String]) {
    for word in words {
        assert_hidden(word, PASSWORD);
    }
}
