//! Runs the embedded PostgreSQL of a data folder until standard input ends, then stops it in order:
//! `cargo run -p platform --example cluster -- .souk`. The tests kill it, to see what is left.

use platform::postgres::{Cluster, Error, Options};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let data_dir = std::env::args_os().nth(1).unwrap_or_else(|| ".souk".into());
    let options = Options {
        data_dir: data_dir.into(),
        command: "cluster example".to_owned(),
        binaries: std::env::var_os("SOUK_POSTGRES_BIN").map(Into::into),
        settings: Vec::new(),
    };
    let cluster = Cluster::join_or_start(options).await?;
    println!("{} {}", if cluster.is_owner() { "owner" } else { "guest" }, cluster.url());
    let (told, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || told.send(std::io::copy(&mut std::io::stdin(), &mut std::io::sink())));
    tokio::select! {
        _ = ended => {}
        () = cluster.exited() => {}
    }
    cluster.stop().await
}
