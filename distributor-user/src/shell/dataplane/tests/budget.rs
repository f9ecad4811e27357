//! How long a start takes is for the most part how long the kernel's verifier does.

use super::*;

/// What the verifier may process of each program, in instructions: about a third more than it does on
/// Linux 6.1 and later, about a tenth of a second in a quiet moment.
const DISTRIBUTE: u32 = 180_000;
const SEND_OWN: u32 = 110_000;

#[test]
fn programs_are_verified_within_their_budget() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        let mut origin = Origin::open(pin_dir).expect("attaches");
        let distribute = dataplane.program().expect("loaded").info();
        let send_own = origin.send_own().expect("loaded").info();
        for (info, budget) in [(distribute, DISTRIBUTE), (send_own, SEND_OWN)] {
            let info = info.expect("the kernel tells");
            // Kernels before 5.16 do not tell.
            let verified = info.verified_instruction_count();
            assert!(
                verified.is_none_or(|verified| verified <= budget),
                "{:?}: {verified:?} of {budget}",
                info.name_as_str()
            );
        }
    });
}
