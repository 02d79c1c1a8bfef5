//! Writes vectors of random runs.

use crate::instance::{encoded, Variant};
use crate::{with_variant, Result};
use prio::codec::{Encode, ParameterizedDecode};
use prio::vdaf::xof::{Xof, XofTurboShake128};
use prio::vdaf::VerifyTransition;
use rand::Rng;
use serde_json::{json, Map, Value};

/// A source of choices: the crate's XOF over a seed.
struct Draw(<XofTurboShake128 as Xof<32>>::SeedStream);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut b = vec![0; n];
        self.0.fill_bytes(&mut b);
        b
    }

    /// A bound of up to that many bits; half of them one less than a power of two.
    fn bound(&mut self, bits: u64) -> u64 {
        let n = self.below(bits);
        match self.below(2) {
            0 => (1 << n) - 1 + (1 << n),
            _ => (1 << n) + self.below(1 << n),
        }
    }

    fn parameters(&mut self, kind: &str) -> Map<String, Value> {
        let mut p = Map::new();
        let mut set = |name: &str, x: u64| p.insert(name.into(), json!(x));
        match kind {
            "Prio3Sum" => {
                set("max_measurement", self.bound(63));
            }
            "Prio3SumVec" => {
                set("length", 1 + self.below(20));
                set("max_measurement", self.bound(20));
                set("chunk_length", 1 + self.below(30));
            }
            "Prio3Histogram" => {
                set("length", 1 + self.below(60));
                set("chunk_length", 1 + self.below(12));
            }
            "Prio3MultihotCountVec" => {
                let length = 1 + self.below(40);
                set("length", length);
                set("max_weight", 1 + self.below(length));
                set("chunk_length", 1 + self.below(12));
            }
            _ => {}
        }
        p
    }

    fn measurement(&mut self, kind: &str, p: &Map<String, Value>) -> Value {
        let get = |name: &str| p[name].as_u64().expect("a parameter");
        match kind {
            "Prio3Count" => json!(self.below(2)),
            "Prio3Sum" => json!(self.value(get("max_measurement"))),
            "Prio3SumVec" => (0..get("length")).map(|_| self.value(get("max_measurement"))).collect(),
            "Prio3Histogram" => json!(self.value(get("length") - 1)),
            _ => {
                let mut left = get("max_weight");
                (0..get("length"))
                    .map(|_| {
                        let bit = left > 0 && self.below(2) == 1;
                        left -= u64::from(bit);
                        bit
                    })
                    .collect()
            }
        }
    }

    /// A value up to max, often at an end.
    fn value(&mut self, max: u64) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => max,
            _ => self.below(max + 1),
        }
    }
}

pub fn run(dir: &str, seed: &str, count: &str) -> Result<()> {
    let count: usize = count.parse()?;
    std::fs::create_dir_all(dir)?;
    let mut draw = Draw(XofTurboShake128::seed_stream(&[0; 32], &[b"peer-prio"], &[seed.as_bytes()]));
    for kind in ["Prio3Count", "Prio3Sum", "Prio3SumVec", "Prio3Histogram", "Prio3MultihotCountVec"] {
        for i in 0..count {
            let parameters = draw.parameters(kind);
            let vector = with_variant!(kind, vector(kind, parameters, &mut draw))?;
            std::fs::write(format!("{dir}/{kind}_{i}.json"), serde_json::to_string_pretty(&vector)?)?;
        }
    }
    println!("{} files in {dir}", 5 * count);
    Ok(())
}

fn to_hex(e: &impl Encode) -> Value {
    json!(hex::encode(encoded(e)))
}

/// One file: up to three reports among two or three aggregators, from sharding to the aggregate result.
fn vector<V: Variant>(kind: &str, parameters: Map<String, Value>, draw: &mut Draw) -> Result<Value> {
    let shares = 2 + draw.below(2) as u8;
    let vdaf = V::new(shares, &parameters.clone().into_iter().collect());
    let length = draw.below(60) as usize;
    let (ctx, key) = (draw.bytes(length), draw.bytes(32));
    let key: &[u8; 32] = key[..].try_into()?;
    let (mut operations, mut reports) = (vec![], vec![]);
    let mut out_shares = vec![vec![]; shares.into()];
    let count = 1 + draw.below(3) as usize;
    for i in 0..count {
        let measurement = draw.measurement(kind, &parameters);
        let (nonce, rand) = (draw.bytes(16), draw.bytes(V::rand_size() / 2 * usize::from(shares)));
        let nonce: &[u8; 16] = nonce[..].try_into()?;
        let (public, input) = vdaf.shard_with_random(&ctx, &V::deserialize_measurement(&measurement), nonce, &rand)?;
        operations.push(json!({"operation": "shard", "report_index": i, "success": true}));
        let (mut states, mut first) = (vec![], vec![]);
        for (agg, share) in input.iter().enumerate() {
            let (state, verifier) = vdaf.verify_init(key, &ctx, agg, &(), nonce, &public, share)?;
            operations.push(json!({"operation": "verify_init", "report_index": i, "aggregator_id": agg, "success": true}));
            // Through its encoding, so that a round trip is part of the run.
            first.push(V::VerifierShare::get_decoded_with_param(&state, &encoded(&verifier))?);
            states.push(state);
        }
        let verifiers: Value = first.iter().map(to_hex).collect();
        let message = vdaf.verifier_shares_to_message(&ctx, &(), first)?;
        operations.push(json!({"operation": "verifier_shares_to_message", "report_index": i, "round": 0, "success": true}));
        let mut outs = vec![];
        for (agg, state) in states.into_iter().enumerate() {
            let VerifyTransition::Finish(out) = vdaf.verify_next(&ctx, state, message.clone())? else {
                return Err("Prio3 has one round".into());
            };
            operations.push(json!({"operation": "verify_next", "report_index": i, "aggregator_id": agg, "round": 1, "success": true}));
            outs.push(to_hex(&out));
            out_shares[agg].push(out);
        }
        reports.push(json!({
            "measurement": measurement, "nonce": hex::encode(nonce), "rand": hex::encode(rand),
            "public_share": to_hex(&public), "input_shares": input.iter().map(to_hex).collect::<Value>(),
            "verifier_shares": [verifiers], "verifier_messages": [to_hex(&message)], "out_shares": outs,
        }));
    }
    let mut agg_shares = vec![];
    for (agg, outs) in out_shares.into_iter().enumerate() {
        agg_shares.push(vdaf.aggregate(&(), outs)?);
        operations.push(json!({"operation": "aggregate", "aggregator_id": agg, "success": true}));
    }
    let encoded_shares: Value = agg_shares.iter().map(to_hex).collect();
    let result = vdaf.unshard(&(), agg_shares, count)?;
    operations.push(json!({"operation": "unshard", "success": true}));
    let mut file = json!({
        "agg_param": "", "agg_result": V::result(&result), "agg_shares": encoded_shares, "ctx": hex::encode(ctx),
        "operations": operations, "reports": reports, "shares": shares, "verify_key": hex::encode(key),
    });
    file.as_object_mut().expect("an object").extend(parameters);
    Ok(file)
}
