//! Where the running kernel keeps what its helpers do not tell, read from its type information.
//!
//! The format is BTF (kernel, Documentation/bpf/btf.rst, "BTF Type and String
//! Encoding"). Only structures and their members matter here. What is not found
//! is not guessed: without one of the members, nothing is known.

use distributor_common::ports::{Layout, layout as field};

const MAGIC: u16 = 0xeb9f;
const HEADER_BYTES: usize = 24;
const TYPE_BYTES: usize = 12;
const MEMBER_BYTES: usize = 12;

const STRUCT: u32 = 4;
const UNION: u32 = 5;

/// Finds the members of the [`Layout`] in the contents of `/sys/kernel/btf/vmlinux`.
///
/// `None` when that is not BTF, or one of them is not there.
#[must_use]
pub fn layout(btf: &[u8]) -> Option<Layout> {
    let types = Types::parse(btf)?;
    let byte = |structure, member| {
        let bits = types.member(structure, member)?.first_bit;
        (bits % 8 == 0).then_some(bits / 8)
    };
    let v6only = types.member("sock_common", "skc_ipv6only")?;
    let mut layout = Layout::default();
    layout[field::TASK_CGROUPS] = byte("task_struct", "cgroups")?;
    layout[field::SET_CGROUP] = byte("css_set", "dfl_cgrp")?;
    layout[field::CGROUP_NODE] = byte("cgroup", "kn")?;
    layout[field::NODE_NAME] = byte("kernfs_node", "name")?;
    let parent = byte("kernfs_node", "__parent").or_else(|| byte("kernfs_node", "parent"));
    layout[field::NODE_PARENT] = parent?;
    layout[field::SOCKET_V6ONLY_BYTE] = v6only.first_bit / 8;
    layout[field::SOCKET_V6ONLY_MASK] = 1 << (v6only.first_bit % 8);
    // A field of several bits would be something else than it was.
    (v6only.bits == 1).then_some(layout)
}

/// All types of a kernel.
struct Types<'a> {
    /// Where each begins, by its number; the first has the number 1.
    places: Vec<&'a [u8]>,
    strings: &'a [u8],
}

/// Where a member is in its structure.
#[derive(Clone, Copy)]
struct Member {
    first_bit: u32,
    /// 0 for one that is no bit field.
    bits: u32,
}

impl<'a> Types<'a> {
    fn parse(btf: &'a [u8]) -> Option<Self> {
        let magic = u16::from_ne_bytes(*btf.first_chunk()?);
        if magic != MAGIC || btf.len() < HEADER_BYTES {
            return None;
        }
        let header = word(btf, 4)? as usize;
        let section = |at| {
            let first = header.checked_add(word(btf, at)? as usize)?;
            let bytes = word(btf, at + 4)? as usize;
            btf.get(first..first.checked_add(bytes)?)
        };
        let (mut types, strings) = (section(8)?, section(16)?);
        let mut places = Vec::new();
        while !types.is_empty() {
            places.push(types);
            let info = word(types, 4)?;
            types = types.get(TYPE_BYTES + more_bytes(info)?..)?;
        }
        Some(Self { places, strings })
    }

    /// A member of the structure with that name, inside nameless ones too.
    fn member(&self, structure: &str, member: &str) -> Option<Member> {
        // The first that has members: one without is only announced.
        let mut places = self.places.iter();
        let place = places.find(|place| {
            word(place, 4).is_some_and(|info| kind(info) == STRUCT && info & 0xffff != 0)
                && word(place, 0).is_some_and(|name| self.is_called(name, structure))
        })?;
        self.inside(place, member)
    }

    fn inside(&self, place: &[u8], wanted: &str) -> Option<Member> {
        let info = word(place, 4)?;
        let has_bit_fields = info >> 31 != 0;
        let members = place.get(TYPE_BYTES..)?.chunks_exact(MEMBER_BYTES);
        for member in members.take((info & 0xffff) as usize) {
            let (name, of, offset) = (word(member, 0)?, word(member, 4)?, word(member, 8)?);
            let found = if has_bit_fields {
                Member {
                    first_bit: offset & 0xff_ffff,
                    bits: offset >> 24,
                }
            } else {
                Member {
                    first_bit: offset,
                    bits: 0,
                }
            };
            if self.is_called(name, wanted) {
                return Some(found);
            }
            let inner = self.places.get((of as usize).wrapping_sub(1));
            let is_group = |place: &&&[u8]| {
                word(place, 4).is_some_and(|info| matches!(kind(info), STRUCT | UNION))
            };
            if name == 0
                && let Some(inner) = inner.filter(is_group)
                && let Some(inner) = self.inside(inner, wanted)
            {
                return Some(Member {
                    first_bit: found.first_bit + inner.first_bit,
                    ..inner
                });
            }
        }
        None
    }

    fn is_called(&self, name: u32, wanted: &str) -> bool {
        let text = self.strings.get(name as usize..).unwrap_or_default();
        text.strip_prefix(wanted.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

const fn kind(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// How many bytes follow what all types begin with; `None` for a kind that is not known.
const fn more_bytes(info: u32) -> Option<usize> {
    let members = (info & 0xffff) as usize;
    Some(match kind(info) {
        // Integers, variables and tags of declarations.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structures, unions, sections, and enumerations of 64 bits.
        STRUCT | UNION | 15 | 19 => 12 * members,
        // Enumerations and the parameters of functions.
        6 | 13 => 8 * members,
        // Pointers, qualifiers, names, functions, floats and tags of types.
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}
