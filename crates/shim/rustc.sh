#!/usr/bin/env bash
# Cargo starts this in place of the compiler (`.cargo/config.toml`). What is optimised at the end, all of it together, is
# built with the profile of what requests run: docs/decisions/0011-built-for-what-runs.md. Everything else is built as ever.
# It is bash, for other shells drop variables whose names hold a dash, and cargo sets such for tests.
# `SHIM_PROFILE=generate` builds a program that counts, `SHIM_PROFILE=off` one without the
# profile.
profile=${0%/*}/requests.profdata
case " $* " in
*" linker-plugin-lto "* | *" lto=fat "*)
    case ${SHIM_PROFILE-} in
    generate) set -- "$@" -Cprofile-generate ;;
    off) ;;
    # Functions that were changed since are built without it, which is nothing to warn of.
    use | '') set -- "$@" "-Cprofile-use=$profile" -Cllvm-args=-no-pgo-warn-mismatch ;;
    *)
        echo "SHIM_PROFILE is \"$SHIM_PROFILE\", not generate, use or off" >&2
        exit 1
        ;;
    esac
    ;;
esac
exec "$@"
