//! Array maps in this process's memory.
//!
//! What lies there changes under the reader's eyes: the kernel's program
//! writes it on every CPU. So nothing is ever read or written but whole words,
//! atomically; only types made of such words can be mapped.

use std::marker::PhantomData;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd};
use std::slice;
use std::sync::Arc;

use aya::maps::MapData;
use distributor_common::abi::{Client, Counters, NameBucket, Service, Settings, Syns, Tally, Vipa};
use distributor_common::flow::Bucket;
use distributor_common::word::Word;
use memmap2::{MmapOptions, MmapRaw};

use super::DataplaneError;

/// A type that is made of atomic words and nothing else, for which every bit pattern is valid.
///
/// # Safety
///
/// Exactly that.
pub(super) unsafe trait Words {}

// SAFETY: an atomic word itself.
unsafe impl Words for Word {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Settings {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Counters {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Service {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Tally {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Syns {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Vipa {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Bucket {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for Client {}
// SAFETY: a `repr(C)` structure of `Word`s, of asserted size.
unsafe impl Words for NameBucket {}

// The kernel pads the values of an array to 8 bytes; then they would not lie one behind the other.
const _: () = assert!(size_of::<Word>() == 8);

/// All values of an array map.
#[derive(Debug)]
pub(super) struct Shared<T> {
    memory: Arc<MmapRaw>,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Words> Shared<T> {
    /// Maps the values of `map`, which must be an array of `T` that can be mapped.
    pub(super) fn map(map: &MapData, name: &'static str) -> Result<Self, DataplaneError> {
        let shape = map.info().map_err(DataplaneError::map(name))?;
        let (value, entries) = (shape.value_size() as usize, shape.max_entries() as usize);
        // A map of one value has several in that one.
        if value != size_of::<T>() && !(entries == 1 && value.is_multiple_of(size_of::<T>())) {
            return Err(DataplaneError::Mismatch { name });
        }
        let len = entries * value / size_of::<T>();
        let memory = MmapOptions::new()
            .len(len * size_of::<T>())
            .map_raw(map.fd().as_fd().as_raw_fd())
            .map_err(DataplaneError::system(format!("map `{name}` into memory")))?;
        Ok(Self {
            memory: Arc::new(memory),
            len,
            values: PhantomData,
        })
    }
}

#[cfg(test)]
impl<T: Words> Shared<T> {
    /// As many values of zeros, which no kernel has.
    pub(super) fn zeroed(len: usize) -> Self {
        let memory = MmapOptions::new().len(len * size_of::<T>()).map_anon();
        Self {
            memory: Arc::new(memory.expect("memory").into()),
            len,
            values: PhantomData,
        }
    }
}

/// The same values, not others: what reads them elsewhere may outlive what mapped them.
impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            len: self.len,
            values: PhantomData,
        }
    }
}

impl<T: Words> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let values = self.memory.as_ptr().cast::<T>();
        debug_assert!(values.is_aligned(), "mappings begin at a page");
        // SAFETY: the mapping is `len` values long, page-aligned and lives as long as `self`; the
        // kernel writes to it too, which atomic words allow.
        unsafe { slice::from_raw_parts(values, self.len) }
    }
}
