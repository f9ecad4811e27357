use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::vec::Vec;

use super::*;
use crate::ports::{ClientKey, KeptListener, give_kept};

fn share() -> Share {
    Share {
        cursor: Word::new(0),
        live: Word::new(0),
        cookies: [const { Word::new(0) }; MAX_SLOTS as usize],
        number: Word::new(0),
        given: [const { Word::new(0) }; MAX_SLOTS as usize],
    }
}

fn order(live: u64, slots: &[u8]) -> Order {
    let [live, len, places @ ..] = Order::words(live, slots).map(Word::new);
    Order { live, len, places }
}

#[test]
fn an_order_is_kept_over_and_over_while_its_listeners_are_there() {
    let share = share();
    for slot in [1, 5, 63] {
        share.note(slot, slot);
    }
    let live = share.live.load();
    let slots = [5, 63, 5, 1, 5, 63, 5, 1, 63, 5];
    let mut taken = Vec::new();
    let ten = order(live, &slots);
    for _ in 0..25 {
        taken.extend(ten.take_number(&share));
    }
    let expected: Vec<u64> = slots
        .iter()
        .cycle()
        .take(25)
        .map(|&slot| slot.into())
        .collect();
    assert_eq!(taken, expected);
    // A listener more, one less, or no order.
    assert_eq!(order(live | bit(2), &slots).take_number(&share), None);
    assert_eq!(order(live & !bit(5), &slots).take_number(&share), None);
    assert_eq!(order(live, &[]).take_number(&share), None);
    assert_eq!(share.number.load(), 25);
    share.count(5);
    assert_eq!(share.given[5].load(), 1);
}

#[test]
fn the_longest_order_has_room() {
    let share = share();
    for slot in 0..64 {
        share.note(slot, slot);
    }
    let slots: Vec<u8> = (0..64).flat_map(|slot| [slot; 16]).collect();
    assert_eq!(slots.len(), MAX_PLACES);
    let longest = order(!0, &slots);
    let taken: Option<Vec<u64>> = (0..MAX_PLACES)
        .map(|_| longest.take_number(&share))
        .collect();
    let expected: Vec<u64> = slots.iter().map(|&slot| slot.into()).collect();
    assert_eq!(taken, Some(expected));
}

#[test]
fn numbers_are_taken_once_by_however_many_at_a_time() {
    let share = share();
    share.note(0, 1);
    share.note(1, 2);
    let order = order(bit(0) | bit(1), &[0, 1, 0, 0]);
    let got = counts();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let slot = order.take_number(&share).expect("a slot");
                    got[slot as usize].fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(got[0].load(Ordering::SeqCst), 3_000);
    assert_eq!(got[1].load(Ordering::SeqCst), 1_000);
}

/// The sockets of a share: who lives, who takes connections, and how many each has got.
struct Sockets<'a> {
    live: &'a AtomicU64,
    taking: u64,
    got: &'a [AtomicU64; 64],
    held: Option<u64>,
}

impl Listeners for Sockets<'_> {
    fn hold(&mut self, slot: u64) -> bool {
        assert_eq!(self.held, None, "nothing is held twice");
        self.held = (self.live.load(Ordering::SeqCst) & bit(slot) != 0).then_some(slot);
        self.held.is_some()
    }

    fn give(&mut self) -> bool {
        let slot = self.held.take().expect("something is held");
        let takes = self.taking & bit(slot) != 0;
        if takes {
            self.got[slot as usize].fetch_add(1, Ordering::SeqCst);
        }
        takes
    }

    fn release(&mut self) {
        assert!(self.held.take().is_some(), "something is held");
    }
}

fn counts() -> [AtomicU64; 64] {
    [const { AtomicU64::new(0) }; 64]
}

/// Takes turns, and returns the slots.
fn turns(share: &Share, times: u64, live: u64, taking: u64) -> Vec<Option<u64>> {
    let (live, got) = (AtomicU64::new(live), counts());
    let mut sockets = Sockets {
        live: &live,
        taking,
        got: &got,
        held: None,
    };
    let turns = (0..times).map(|_| take_turn(share, &mut sockets)).collect();
    assert_eq!(sockets.held, None);
    turns
}

#[test]
fn turns_go_round_over_the_living() {
    let share = share();
    assert_eq!(turns(&share, 1, 0, !0), [None]);
    for slot in [1, 5, 63] {
        share.note(slot, slot + 100);
        assert_eq!(share.cookies[slot as usize].load(), slot + 100);
    }
    let all = bit(1) | bit(5) | bit(63);
    assert_eq!(
        turns(&share, 5, all, !0),
        [1, 5, 63, 1, 5].map(Some),
        "all live"
    );
    // The one that has ended costs no turn, and is not looked at again.
    assert_eq!(turns(&share, 3, all & !bit(63), !0), [1, 5, 1].map(Some));
    assert_eq!(share.live.load(), bit(1) | bit(5));
    share.note(0, 1);
    assert_eq!(turns(&share, 4, !0, !0), [5, 0, 1, 5].map(Some));
    // One that takes only the other family is passed over.
    assert_eq!(turns(&share, 4, !0, !bit(1)), [0, 5, 0, 5].map(Some));
    assert_eq!(turns(&share, 2, !0, 0), [None, None]);
    assert_eq!(turns(&share, 2, 0, !0), [None, None]);
    assert_eq!(share.live.load(), 0);
}

#[test]
fn the_lowest_bit_is_found_in_every_word() {
    for first in 0..64 {
        for others in [0, !0, 0x5555_5555_5555_5555, 1 << 63] {
            let word = (1 << first) | (others & !((1 << first) - 1));
            assert_eq!(lowest(word), first, "{word:#x}");
        }
    }
}

#[test]
fn turns_are_exact_whoever_takes_them() {
    let share = share();
    for slot in 0..5 {
        share.note(slot, 1);
    }
    let (live, got) = (AtomicU64::new(0b1_1111), counts());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut sockets = Sockets {
                    live: &live,
                    taking: !0,
                    got: &got,
                    held: None,
                };
                let mut taken = 0;
                while taken < 25_000 {
                    // Without a turn after many tries the kernel would choose.
                    taken += u32::from(take_turn(&share, &mut sockets).is_some());
                }
            });
        }
    });
    for slot in &got[..5] {
        assert_eq!(slot.load(Ordering::SeqCst), 20_000);
    }
}

#[test]
fn a_turn_is_remembered_for_some_seconds() {
    const MS: u64 = 1_000_000;
    let now = 5_000_000_123_456_789;
    let hash = 0x1234_5678_9abc_def0;
    let turn = RecentTurn::of(RecentTurn::new(hash, 63, now).word());
    assert_eq!(turn.slot(hash, now), Some(63));
    assert_eq!(turn.slot(hash, now + 2_000 * MS), Some(63));
    assert_eq!(turn.slot(hash, now + 2_200 * MS), None);
    assert_eq!(turn.slot(hash ^ 1 << 40, now), None);
    // An element that nobody has written is nobody's turn, except that of a hash of zeros in the
    // first seconds of the machine.
    assert_eq!(RecentTurn::of(0).slot(hash, now), None);
}

/// What a client keeps that has just been given a turn.
fn kept(share: &Share, slot: u64) -> KeptListener {
    let [cookie, slot, used_ns] = KeptListener::words(share, slot, 7).map(Word::new);
    KeptListener {
        cookie,
        slot,
        used_ns,
    }
}

#[test]
fn a_client_keeps_its_listener_and_no_other_in_its_slot() {
    let share = share();
    for slot in [3, 5] {
        share.note(slot, 100 + slot);
    }
    let (live, got) = (AtomicU64::new(1 << 3 | 1 << 5), counts());
    let mut sockets = Sockets {
        live: &live,
        taking: u64::MAX,
        got: &got,
        held: None,
    };
    let kept = kept(&share, 5);
    for now_ns in 10..20 {
        assert_eq!(give_kept(&share, &kept, &mut sockets, now_ns), Some(5));
        assert_eq!(kept.used_ns.load(), now_ns);
    }
    assert_eq!(got[5].load(Ordering::SeqCst), 10);
    // Nobody's turn has passed.
    assert_eq!(take_turn(&share, &mut sockets), Some(3));
    assert_eq!(take_turn(&share, &mut sockets), Some(5));

    live.store(1 << 3, Ordering::SeqCst);
    assert_eq!(give_kept(&share, &kept, &mut sockets, 20), None);
    live.store(1 << 3 | 1 << 5, Ordering::SeqCst);
    share.note(5, 200);
    assert_eq!(give_kept(&share, &kept, &mut sockets, 20), None);
    assert_eq!(kept.used_ns.load(), 19);
    // One that does not take the connection is not kept either.
    share.note(5, 105);
    sockets.taking = 1 << 3;
    assert_eq!(give_kept(&share, &kept, &mut sockets, 20), None);
    assert_eq!(sockets.held, None);
}

#[test]
fn keys_of_clients_are_as_they_lie_in_the_map() {
    let words = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    let key = ClientKey::of(words);
    assert_eq!((key.client, key.service.port), ([1, 2, 3, 4], 9));
    assert_eq!(key.words(), words);
}
