//! The five documents over HTTP, on one library instance.
//!
//! ```text
//! cargo run --release --example server --all-features -- --seed seed.json --listen 127.0.0.1:8080
//! ```
//!
//! It is an example of embedding: handlers parse, call the library, and render. Everything is kept in memory unless a
//! database is named; queued jobs run inside the process.

mod app;
mod arguments;

use std::process::ExitCode;

use app::Server;
use arguments::Arguments;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        println!("{}", arguments::USAGE);
        return ExitCode::SUCCESS;
    }
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let server = Server::open(&arguments.options).await?;
    println!("listening on http://{}", server.address()?);
    let stop = async move {
        tokio::select! {
            _ = terminated.recv() => (),
            _ = interrupted.recv() => (),
        }
    };
    server.run(stop).await;
    Ok(())
}
