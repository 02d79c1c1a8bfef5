//! The five variants behind one face: parameters and measurements as JSON, whatever types the crate uses.

use prio::codec::Encode;
use prio::vdaf::prio3::{
    Prio3Count, Prio3Histogram, Prio3MultihotCountVec, Prio3Sum, Prio3SumVec,
};
use prio::vdaf::test_utils::{TestVectorClient, TestVectorVdaf};
use prio::vdaf::{Aggregator, Collector};
use serde_json::{json, Value};

/// What all five variants implement.
pub trait Variant: TestVectorClient<16> + TestVectorVdaf + Aggregator<32, 16, AggregationParam = ()> + Collector {
    fn result(r: &Self::AggregateResult) -> Value;
    fn rand_size() -> usize;
}

impl Variant for Prio3Count {
    fn result(r: &u64) -> Value {
        json!(r)
    }
    fn rand_size() -> usize {
        64
    }
}

impl Variant for Prio3Sum {
    fn result(r: &u64) -> Value {
        json!(r)
    }
    fn rand_size() -> usize {
        64
    }
}

/// Numbers of 128 bits that are small enough for JSON.
fn list(r: &[u128]) -> Value {
    r.iter().map(|x| u64::try_from(*x).expect("result of small measurements")).collect()
}

impl Variant for Prio3SumVec {
    fn result(r: &Vec<u128>) -> Value {
        list(r)
    }
    fn rand_size() -> usize {
        128
    }
}

impl Variant for Prio3Histogram {
    fn result(r: &Vec<u128>) -> Value {
        list(r)
    }
    fn rand_size() -> usize {
        128
    }
}

impl Variant for Prio3MultihotCountVec {
    fn result(r: &Vec<u128>) -> Value {
        list(r)
    }
    fn rand_size() -> usize {
        128
    }
}

/// Calls a function that is generic over the variant with the variant of that name.
#[macro_export]
macro_rules! with_variant {
    ($kind:expr, $f:ident($($arg:expr),*)) => {
        match $kind {
            "Prio3Count" => $f::<prio::vdaf::prio3::Prio3Count>($($arg),*),
            "Prio3Sum" => $f::<prio::vdaf::prio3::Prio3Sum>($($arg),*),
            "Prio3SumVec" => $f::<prio::vdaf::prio3::Prio3SumVec>($($arg),*),
            "Prio3Histogram" => $f::<prio::vdaf::prio3::Prio3Histogram>($($arg),*),
            "Prio3MultihotCountVec" => $f::<prio::vdaf::prio3::Prio3MultihotCountVec>($($arg),*),
            kind => Err(format!("unknown kind {kind}").into()),
        }
    };
}

/// The bytes of something that encodes.
pub fn encoded(e: &impl Encode) -> Vec<u8> {
    e.get_encoded().expect("encoding what the crate made")
}
