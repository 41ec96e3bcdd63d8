//! Compilers, linkers, build tools and the disk.

use super::{Case, script};

pub const CASES: &[Case] = &[
    script(
        "build_error",
        "build",
        "/b/src/x.cc:14:9: error: 'foo' was not declared in this scope\n   14 |   foo();\nmake[2]: *** [x.o] Error 1",
    ),
    script(
        "build_error",
        "build",
        "/usr/bin/ld: libx.a(y.o): in function `main':\ny.c:(.text+0x1a): undefined reference to `dgemm_'\ncollect2: error: ld returned 1 exit status\nmake: *** [x] Error 1",
    ),
    script(
        "build_error",
        "build",
        "checking for HDF5... no\nconfigure: error: HDF5 library not found. Use --with-hdf5",
    ),
    script(
        "build_error",
        "build",
        "meson.build:31:10: ERROR: Dependency \"libdrm\" not found, tried pkgconfig and cmake",
    ),
    script(
        "build_error",
        "build",
        "CMake Error at /usr/share/cmake/Modules/FindPackageHandleStandardArgs.cmake:230 (message):\n  Could NOT find Threads",
    ),
    script(
        "build_error",
        "build",
        "error[E0433]: failed to resolve: use of undeclared crate or module `libc`\n --> src/lib.rs:3:5\nerror: could not compile `x` (lib) due to 1 previous error",
    ),
    script(
        "build_error",
        "build",
        "x.cu(41): error: identifier \"half2\" is undefined\n1 error detected in the compilation of \"x.cu\".",
    ),
    script("build_error", "build", "./main.go:12:3: undefined: frobnicate"),
    script("build_error", "build", "src/Foo.java:10: error: cannot find symbol\n1 error"),
    script(
        "build_error",
        "build",
        "   12 |   call foo(x)\n      |            1\nError: Type mismatch in argument 'x' at (1); passed REAL(4) to REAL(8)\nmake: *** [a.o] Error 1",
    ),
    script(
        "build_error",
        "build",
        "ImportError: cannot import name 'msvccompiler' from 'distutils'\nerror: metadata-generation-failed",
    ),
    script("build_error", "build", "make: *** No rule to make target 'all'.  Stop."),
    script(
        "build_error",
        "build",
        "Can't locate XML/Parser.pm in @INC (you may need to install the XML::Parser module)",
    ),
    script(
        "build_error",
        "build",
        "ModuleNotFoundError: No module named 'pybind11'\nerror: subprocess-exited-with-error",
    ),
    script(
        "build_error",
        "build",
        "curl: (28) Operation timed out after 3000 ms\n==> Fetching https://b.example/foo.tgz\n==> foo: Executing phase: 'build'\nx.c:1:2: error: expected ';' before '}' token\nmake: *** [x.o] Error 1",
    ),
    script(
        "build_error",
        "build",
        "PASS: t_kill (child Killed)\nninja: error: 'lib/libx.a', needed by 'bin/y', missing and no known rule to make it",
    ),
    script(
        "cmd_not_found",
        "build",
        "/bin/sh: line 1: aclocal-1.15: command not found\nmake: *** [Makefile:10: aclocal.m4] Error 127",
    ),
    script("cmd_not_found", "build", "==> Error: ProcessError: Command exited with status 127:\n    './autogen.sh'"),
    script("no_space", "build", "cc1: fatal error: error writing to /tmp/ccA.s: No space left on device"),
    script("no_space", "generate", "OSError: [Errno 28] No space left on device: '/tmp/x'"),
    script("no_space", "copy", "tar: blob: Cannot write: Disk quota exceeded"),
    script("sha256sum_not_found", "dotenv", "/bin/sh: 9: sha256sum: not found"),
    script("sha256sum_not_found", "generate", "bash: line 190: sha256sum: command not found"),
    script("file_not_found", "copy", "cat: /builds/env/key.txt: No such file or directory"),
];
