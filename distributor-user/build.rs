//! Embeds the built eBPF objects where they are there.
//!
//! Nothing is built here: editors, `clippy` and unit tests work without any
//! eBPF toolchain. Without the objects, a stack cannot be run, and says what
//! to run first.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Names another directory than the one in which `cargo xtask build-ebpf` leaves the objects.
const OBJECTS_VARIABLE: &str = "DISTRIBUTOR_OBJECTS";

/// The objects, by the names of their binaries in `distributor-ebpf`.
const OBJECTS: [&str; 4] = ["distributor", "origin", "watch", "ports"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={OBJECTS_VARIABLE}");
    let directory = env::var_os(OBJECTS_VARIABLE).map_or_else(built, |path| Ok(path.into()))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for name in OBJECTS {
        embed(&directory, name, &out.join(format!("{name}.bpf")))?;
    }
    Ok(())
}

fn embed(directory: &Path, name: &str, copy: &Path) -> io::Result<()> {
    let object = directory.join(name);
    if object.is_file() {
        println!("cargo:rerun-if-changed={}", object.display());
        fs::copy(&object, copy)?;
    } else {
        // A file that is not there would make Cargo run this again every time; a directory makes
        // it run again once something appears in it.
        println!("cargo:rerun-if-changed={}", directory.display());
        fs::write(copy, [])?;
    }
    Ok(())
}

/// Where the objects are, or will be.
fn built() -> io::Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?;
    let directory = Path::new(&manifest).join("../target/bpf/bpfel-unknown-none/bpf");
    fs::create_dir_all(&directory)?;
    Ok(directory)
}
