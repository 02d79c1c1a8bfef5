//! Runs vectors with the crate's own runner, which panics where a value differs.

use crate::instance::Variant;
use crate::{with_variant, Result};
use prio::vdaf::test_utils::{check_test_vector, TestVector};
use std::panic::catch_unwind;

pub fn run(dir: &str) -> Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut passed, mut failed) = (0, 0);
    let mut paths: Vec<_> = std::fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "json")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let kind = name.split('_').next().unwrap_or_default();
        let vector: TestVector = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        match with_variant!(kind, check(&vector)) {
            Ok(()) => passed += 1,
            Err(e) => {
                failed += 1;
                println!("FAIL  {}: {e}", path.display());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed > 0 || passed == 0 {
        return Err("not all vectors passed".into());
    }
    Ok(())
}

fn check<V: Variant>(vector: &TestVector) -> Result<()>
where
    V::PublicShare: PartialEq,
    V::InputShare: PartialEq,
    V::VerifierShare: PartialEq,
    V::OutputShare: PartialEq,
    V::AggregateShare: PartialEq,
    V::AggregateResult: PartialEq,
{
    catch_unwind(std::panic::AssertUnwindSafe(|| check_test_vector::<V, 32, 16>(vector))).map_err(|e| {
        let text = e.downcast_ref::<String>().cloned();
        text.unwrap_or_else(|| "the crate does not accept it".into()).into()
    })
}
