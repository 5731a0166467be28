//! Reads a real engine: `cargo run -p seaworthy-collect --example engine -- [HOST] [PATH ...]`.
//!
//! Without a path it lists the containers, inspects each of them over the lanes, and says how long
//! that took and how many bytes the same values are when written again.

use std::process::ExitCode;
use std::time::Instant;

use seaworthy_collect::engine::{Engine, Environment, Failure, Limits, Wanted, other_sockets, path_segment, resolve};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let wanted = Wanted { host: args.next().filter(|host| !host.is_empty()), context: None };
    match run(&wanted, args.collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(wanted: &Wanted, paths: Vec<String>) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let resolved = resolve(wanted, &environment)?;
    for socket in other_sockets(&environment, &resolved.endpoint) {
        println!("also there: {} ({})", socket.path.display(), socket.kind);
    }
    let engine = Engine::connect(&resolved.endpoint, Limits::default()).await?;
    println!("{} from {}: API {} of {}", resolved.endpoint, resolved.origin, engine.api(), engine.server_api());
    if let Some(caveat) = engine.caveat() {
        println!("{caveat}");
    }
    if let Some(shown) = engine.peer_certificate() {
        println!("certificate of {} by {}, verified: {}", shown.subject, shown.issuer, shown.verified);
    }
    for path in &paths {
        match engine.get(path).await {
            Ok(value) => println!("{path}: {} bytes", value.to_string().len()),
            Err(failure) => println!("{failure}"),
        }
    }
    if paths.is_empty() {
        for _ in 0..5 {
            inspect_all(&engine).await?;
        }
    }
    Ok(())
}

async fn inspect_all(engine: &Engine) -> Result<(), Failure> {
    let start = Instant::now();
    let list = engine.get_list("/containers/json?all=1").await?;
    let ids: Vec<&str> = list.as_array().into_iter().flatten().filter_map(|c| c["Id"].as_str()).collect();
    let mut tasks = Vec::new();
    for id in &ids {
        let (engine, path) = (engine.clone(), format!("/containers/{}/json", path_segment(id)));
        tasks.push(tokio::spawn(async move { engine.get(&path).await }));
    }
    let mut all: Vec<Value> = Vec::new();
    for task in tasks {
        if let Ok(answer) = task.await {
            all.push(answer?);
        }
    }
    let took = start.elapsed();
    let bytes: usize = all.iter().map(|value| value.to_string().len()).sum();
    println!("{} containers, {bytes} bytes, in {took:?}", all.len());
    Ok(())
}
