//! Where everything is on a lab's networks: at an address of either family, with the same numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The distributed VIPA of the scenario.
pub const VIPA: Ipv4Addr = Ipv4Addr::new(10, 1, 3, 10);

/// Its IPv6 counterpart, which is there only if a profile says so.
pub const VIPA6: Ipv6Addr = in_ipv6(VIPA);

/// What profiles call the interface of [`VIPA6`].
pub const DVIPA6: &str = "DVIPA6";

/// Of a host at `address`, or of a VIPA, the IPv6 address on the same network: 10.1.1.101 is
/// `fd00:10:1:1::101` as well.
#[must_use]
pub const fn in_ipv6(address: Ipv4Addr) -> Ipv6Addr {
    let [one, two, three, host] = address.octets();
    Ipv6Addr::new(
        0xfd00,
        digits(one),
        digits(two),
        digits(three),
        0,
        0,
        0,
        digits(host),
    )
}

/// The number whose hexadecimal digits are the decimal ones of `number`.
const fn digits(number: u8) -> u16 {
    let (hundreds, tens, ones) = (number / 100, number / 10 % 10, number % 10);
    (hundreds as u16) << 8 | (tens as u16) << 4 | ones as u16
}

/// On the client LAN.
pub(super) fn lan_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 1, number)
}

/// The DYNAMICXCF address of the stack at `index`.
pub(super) fn xcf_address(index: usize) -> Ipv4Addr {
    let number = u8::try_from(index + 1).expect("a lab has at most 99 stacks");
    Ipv4Addr::new(172, 1, 1, number)
}

#[cfg(test)]
mod tests {
    use super::{VIPA6, in_ipv6, lan_address, xcf_address};

    #[test]
    fn people_read_the_same_numbers_in_both_families() {
        for (address, expected) in [
            (lan_address(1), "fd00:10:1:1::1"),
            (lan_address(109), "fd00:10:1:1::109"),
            (lan_address(199), "fd00:10:1:1::199"),
            (xcf_address(98), "fd00:172:1:1::99"),
        ] {
            assert_eq!(in_ipv6(address).to_string(), expected);
        }
        assert_eq!(VIPA6.to_string(), "fd00:10:1:3::10");
    }
}
