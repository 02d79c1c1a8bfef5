//! Times operations. Each line of standard input asks for one, and is answered by one line with the nanoseconds that all
//! iterations took together:
//!
//!     {"kind": "Prio3Sum", "parameters": {"max_measurement": 255}, "measurement": 1, "op": "shard", "iterations": 100}
//!
//! The operations are shard; leader, its verify_init; and helper, all of its step: verify_init, joining the verifier shares,
//! deciding, verify_next.

use crate::instance::Variant;
use crate::{with_variant, Result};
use serde_json::Value;
use std::hint::black_box;
use std::io::BufRead;
use std::time::Instant;

pub fn run() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let ask: Value = serde_json::from_str(&line?)?;
        let kind = ask["kind"].as_str().ok_or("kind is missing")?;
        println!("{}", with_variant!(kind, time(&ask))?);
    }
    Ok(())
}

fn time<V: Variant>(ask: &Value) -> Result<u128> {
    let parameters = ask["parameters"].as_object().ok_or("parameters are missing")?.clone();
    let vdaf = V::new(2, &parameters.into_iter().collect());
    let measurement = V::deserialize_measurement(&ask["measurement"]);
    let iterations = ask["iterations"].as_u64().ok_or("iterations are missing")?;
    let (ctx, nonce, key) = ([7; 38], [5; 16], [3; 32]);
    let (public, input) = vdaf.shard(&ctx, &measurement, &nonce)?;
    let init = |agg: usize| vdaf.verify_init(&key, &ctx, agg, &(), &nonce, &public, &input[agg]);
    let (_, leader) = init(0)?;
    let start = Instant::now();
    match ask["op"].as_str().unwrap_or_default() {
        "shard" => {
            for _ in 0..iterations {
                black_box(vdaf.shard(&ctx, black_box(&measurement), &nonce)?);
            }
        }
        "leader" => {
            for _ in 0..iterations {
                black_box(init(0)?);
            }
        }
        "helper" => {
            for _ in 0..iterations {
                let (state, own) = init(1)?;
                let message = vdaf.verifier_shares_to_message(&ctx, &(), [leader.clone(), own])?;
                black_box(vdaf.verify_next(&ctx, state, message)?);
            }
        }
        op => return Err(format!("unknown op {op}").into()),
    }
    Ok(start.elapsed().as_nanos())
}
