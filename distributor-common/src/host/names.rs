//! Names of IPv6 DVIPAs in plain memory: each new address gets the next one.

use core::net::{IpAddr, Ipv6Addr};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::boxed::Box;
use std::vec::Vec;

use crate::abi::{Called, Ends, NAME_BUCKETS, NAME_ENTRIES, Name, NameBucket, NameTable};
use crate::hash;
use crate::probe;
use crate::wire::Be32;

/// Any seed does: nobody fills a bucket here.
pub(super) const TABLE: NameTable = NameTable::new(0x9e37_79b9_7f4a_7c15, 1);

/// The table of names, and what is put aside of the packet that is being decided about.
#[derive(Debug)]
pub(super) struct Names {
    buckets: Box<[NameBucket]>,
    addresses: Vec<Ipv6Addr>,
    ends: [AtomicU64; 4],
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            buckets: (0..2 * NAME_BUCKETS)
                .map(|_| NameBucket::default())
                .collect(),
            addresses: Vec::new(),
            ends: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    pub(super) fn bucket(&self, index: u32) -> Option<&NameBucket> {
        self.buckets.get(index as usize)
    }

    /// What a DVIPA is called; it gets a name if it needs one and has none.
    pub(super) fn call(&mut self, dvipa: IpAddr) -> Called {
        let IpAddr::V6(address) = dvipa else {
            return self.called(dvipa).expect("an IPv4 address");
        };
        if !self.addresses.contains(&address) {
            let name = Name::new(u32::try_from(self.addresses.len()).expect("few names"));
            let words = probe::identity(dvipa);
            let bucket = &self.buckets[TABLE.bucket(hash::address(words)) as usize];
            let free = (0..NAME_ENTRIES).find(|index| bucket.entry(*index).is_none());
            bucket.fill(free.expect("few names"), words, name);
            self.addresses.push(address);
        }
        self.called(dvipa).expect("it has a name now")
    }

    /// What a DVIPA is called; `None` if it has no name.
    pub(super) fn called(&self, dvipa: IpAddr) -> Option<Called> {
        match dvipa {
            IpAddr::V4(address) => Some(Called::ipv4(Be32::from_bytes(address.octets()))),
            IpAddr::V6(address) => {
                let number = self.addresses.iter().position(|known| *known == address)?;
                Some(Called::ipv6(Name::new(u32::try_from(number).ok()?)))
            }
        }
    }

    /// The address that a name stands for.
    pub(super) fn address(&self, name: u32) -> Option<Ipv6Addr> {
        let number = Name::from_word(name)?.number();
        self.addresses.get(number as usize).copied()
    }

    pub(super) fn put_aside(&self, ends: Ends) {
        let words = [ends.client, ends.dvipa];
        for (place, word) in self.ends.iter().zip(words.as_flattened()) {
            place.store(*word, Relaxed);
        }
    }

    pub(super) fn ends(&self) -> Ends {
        let [a, b, c, d] = self.ends.each_ref().map(|word| word.load(Relaxed));
        Ends {
            client: [a, b],
            dvipa: [c, d],
        }
    }
}
