//! Checks another implementation of Prio3 against the prio crate, which others wrote and use.
//!
//!     peer-prio verify DIR                    run the vectors in DIR with the crate
//!     peer-prio generate DIR SEED COUNT       write vectors of random runs of the crate, COUNT for each variant
//!     peer-prio bench                         time operations asked for on standard input
//!
//! Vectors are in the JSON form that the CFRG publishes.

mod bench;
mod generate;
mod instance;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args[..] {
        ["verify", dir] => verify::run(dir),
        ["generate", dir, seed, count] => generate::run(dir, seed, count),
        ["bench"] => bench::run(),
        _ => Err("usage: peer-prio verify DIR | generate DIR SEED COUNT | bench".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("peer-prio: error: {e}");
            ExitCode::FAILURE
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
