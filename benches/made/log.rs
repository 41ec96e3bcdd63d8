//! A build log as Spack's CI writes it.

/// A log of about so many bytes that fails near its end.
pub fn build_log(bytes: usize) -> Vec<u8> {
    let mut log = b"section_start:1764126998:step_script\r\x1b[0K\x1b[36;1mExecuting the job script\x1b[0;m\n".to_vec();
    log.extend(b"\x1b[1;34m==>\x1b[0m hdf5: Executing phase: 'build'\n");
    let mut n = 0;
    while log.len() < bytes {
        log.extend(format!("[{n:5}/99999] \x1b[32mBuilding CXX object src/part_{}/CMakeFiles/hdf5.dir/part_{n}.cpp.o\x1b[0m -Werror=format\n", n % 97).bytes());
        if n % 50 == 0 {
            log.extend(
                format!("../src/part_{n}.cpp:931:7: warning: unused variable 'hash{n}' [-Wunused-variable]\n").bytes(),
            );
        }
        n += 1;
    }
    log.extend(b"H5public.h:27:10: fatal error: hwloc.h: No such file or directory\n");
    log.extend(b"\x1b[1;31m==>\x1b[0m Error: ProcessError: Command exited with status 2\n");
    log.extend(b"section_end:1764127002:step_script\r\x1b[0K\n\x1b[31;1mERROR: Job failed: exit code 1\n\x1b[0;m\n");
    log
}
