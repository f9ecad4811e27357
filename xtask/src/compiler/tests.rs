use std::path::PathBuf;

use super::{LlvmLibrary, llvm_major, shared_llvm};

#[test]
fn llvm_version_is_read_from_what_rustc_says() {
    let cases = [
        (
            "rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n",
            Some(22),
        ),
        ("LLVM version: 9.0\n", Some(9)),
        ("rustc 1.96.0 (built without LLVM)\n", None),
        ("LLVM version: unknown\n", None),
    ];
    for (text, expected) in cases {
        assert_eq!(llvm_major(text), expected, "{text:?}");
    }
}

#[test]
fn llvm_library_is_found_in_what_ldd_says() {
    let distribution = "\tlinux-vdso.so.1 (0x00007f53a1d8c000)\n\
        \tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x00007f5398a00000)\n\
        \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f539881e000)\n";
    let rustup = "\tlibLLVM.so.23.1-rust-1.99.0-nightly => \
        /home/me/.rustup/toolchains/a b/bin/../lib/libLLVM.so.23.1-rust-1.99.0-nightly (0x1)\n";
    let cases = [
        (
            distribution,
            Some(("/usr/lib/llvm-22/lib/libLLVM.so.22.1", 22)),
        ),
        (
            rustup,
            Some((
                "/home/me/.rustup/toolchains/a b/bin/../lib/libLLVM.so.23.1-rust-1.99.0-nightly",
                23,
            )),
        ),
        (
            "\tlibLLVM-14.so.1 => /usr/lib/libLLVM-14.so.1 (0x1)\n",
            Some(("/usr/lib/libLLVM-14.so.1", 14)),
        ),
        ("\tlibLLVM.so.22.1 => not found\n", None),
        ("\tnot a dynamic executable\n", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let expected = expected.map(|(path, major)| LlvmLibrary {
            path: PathBuf::from(path),
            major,
        });
        assert_eq!(shared_llvm(text), expected, "{text:?}");
    }
}
