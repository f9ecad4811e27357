//! The `distributor` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    distributor_user::cli::main()
}
