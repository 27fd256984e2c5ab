/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets where a file, a pipe, a terminal or another kind of descriptor belongs, and what else a descriptor can be
 * asked: each call's answer. */
#include "diff.h"

#include <aio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <termios.h>
#undef ECHO /* the port */

CASE(pipes_of_sockets)
{
    int fd = dial(ECHO), other = dial(ECHO), p[2], q[2];
    struct iovec v = {"abc", 3};
    loff_t off = 0;
    MUST(pipe(p));
    MUST(pipe(q));
    SAY(tee(fd, p[1], 10, SPLICE_F_NONBLOCK));
    SAY(tee(p[0], fd, 10, SPLICE_F_NONBLOCK));
    SAY(vmsplice(fd, &v, 1, SPLICE_F_NONBLOCK));
    SAY(splice(fd, NULL, other, NULL, 10, SPLICE_F_NONBLOCK));
    SAY(splice(fd, &off, p[1], NULL, 10, SPLICE_F_NONBLOCK));
    SAY(splice(p[0], NULL, fd, &off, 10, SPLICE_F_NONBLOCK));
    SAY(splice(fd, NULL, p[1], NULL, 0, 0));
    SAY(fcntl(fd, F_SETFL, O_NONBLOCK)); /* the flag is about the pipe */
    SAY(splice(fd, NULL, p[1], NULL, 10, 0));
    SAY(splice(fd, NULL, p[1], NULL, 10, 0x100));
    SAY(fcntl(fd, F_SETFL, 0));
    SAY(splice(p[0], NULL, fd, NULL, 10, SPLICE_F_NONBLOCK));
    SAY(write(p[1], "splice", 6));
    SAY(tee(p[0], q[1], 6, 0));
    SAY(splice(p[0], NULL, fd, NULL, 100, SPLICE_F_MOVE));
    char buf[16] = "";
    SAY(recv(fd, buf, 6, MSG_WAITALL));
    SAY(splice(q[0], NULL, fd, NULL, 3, SPLICE_F_MORE));
    SAY(splice(q[0], NULL, fd, NULL, 3, 0));
    SAY(await(fd, POLLIN));
    long got = 0;
    while (got < 6)
        got += MUST(splice(fd, NULL, p[1], NULL, 6 - got, 0));
    SAY(read(p[0], buf, 6));
    say_bytes("through", buf, 6);
    SAY(shutdown(fd, SHUT_WR));
    SAY(write(p[1], "x", 1));
    signal(SIGPIPE, SIG_IGN);
    SAY(splice(p[0], NULL, fd, NULL, 1, 0));
    SAY(splice(fd, NULL, p[1], NULL, 1, 0));
    SAY(copy_file_range(fd, NULL, p[1], NULL, 3, 0));
    SAY(copy_file_range(p[0], NULL, fd, NULL, 3, 0));
}

CASE(sendfile_what)
{
    int fd = dial(ECHO), other = dial(ECHO), p[2], f = MUST(memfd_create("f", 0));
    off_t off = 2;
    char buf[16];
    MUST(pipe(p));
    MUST(write(f, "0123456789", 10));
    SAY(sendfile(fd, f, NULL, 5)); /* at the end */
    SAY(sendfile(fd, f, &off, 0));
    SAY(sendfile(fd, f, &off, 3));
    SAY(off);
    SAY(recv(fd, buf, 3, MSG_WAITALL));
    say_bytes("got", buf, 3);
    SAY(lseek(f, 0, SEEK_CUR));
    SAY(sendfile(fd, f, &off, 100));
    SAY(off);
    SAY(recv(fd, buf, 5, MSG_WAITALL));
    off = -1;
    SAY(sendfile(fd, f, &off, 5));
    off = 100;
    SAY(sendfile(fd, f, &off, 5));
    SAY(sendfile(f, fd, NULL, 5));
    SAY(sendfile(fd, other, NULL, 5));
    SAY(write(p[1], "pipe", 4));
    SAY(sendfile(fd, p[0], NULL, 4));
    off = 0;
    SAY(sendfile(fd, p[0], &off, 4));
    int w = MUST(open("/dev/null", O_WRONLY)), d = MUST(open("/", O_RDONLY));
    SAY(sendfile(fd, w, NULL, 4));
    SAY(sendfile(fd, d, NULL, 4));
    SAY(sendfile(fd, 999, NULL, 4));
    SAY(sendfile(999, f, NULL, 4));
    int u = socket(AF_INET, SOCK_STREAM, 0);
    lseek(f, 0, SEEK_SET);
    signal(SIGPIPE, SIG_IGN);
    SAY(sendfile(u, f, NULL, 4));
    SAY(lseek(f, 0, SEEK_CUR));
    SAY(shutdown(fd, SHUT_WR));
    SAY(sendfile(fd, f, NULL, 4));
    int dg = dial_udp(ECHO);
    off = 0;
    SAY(sendfile(dg, f, &off, 10));
    SAY(recv(dg, buf, sizeof buf, 0));
}

CASE(offsets)
{
    int fd = dial(ECHO);
    char buf[8];
    struct iovec v = {buf, 4}, out = {"four", 4}, none = {NULL, 0};
    SAY(pread(fd, buf, 4, 0));
    SAY(pwrite(fd, "four", 4, 0));
    SAY(pread(fd, buf, 4, -1));
    SAY(pwrite(fd, buf, 4, -1));
    SAY(preadv(fd, &v, 1, 0));
    SAY(pwritev(fd, &out, 1, 0));
    SAY(preadv(fd, &v, 1, -1));
    SAY(preadv2(fd, &v, 1, 0, 0));
    SAY(preadv2(fd, &v, 1, -2, 0));
    SAY(pwritev2(fd, &out, 1, 0, 0));
    SAY(pwritev2(fd, &out, 1, -1, 0));
    SAY(await(fd, POLLIN));
    SAY(preadv2(fd, &v, 1, -1, 0));
    SAY(preadv2(fd, &v, 1, -1, RWF_NOWAIT));
    SAY(pwritev2(fd, &out, 1, -1, RWF_DSYNC));
    SAY(await(fd, POLLIN));
    SAY(preadv2(fd, &v, 1, -1, RWF_NOWAIT));
    SAY(preadv2(fd, &v, 1, -1, 0x10000));
    SAY(pwritev2(fd, &out, 1, -1, 0x10000));
    SAY(readv(fd, &v, 0));
    SAY(writev(fd, &v, 0));
    SAY(readv(fd, &v, -1));
    {
        static struct iovec many[1025];
        SAY(writev(fd, many, 1025));
        SAY(writev(fd, many, 1024));
    }
    SAY(readv(fd, &none, 1));
    SAY(writev(fd, &none, 1));
    SAY(lseek(fd, 0, SEEK_SET));
    SAY(lseek(fd, 0, SEEK_END));
    SAY(lseek(fd, 0, SEEK_DATA));
    SAY(lseek(fd, 0, 99));
    int l = socket(AF_INET, SOCK_DGRAM, 0);
    SAY(pread(l, buf, 4, 0));
    SAY(lseek(l, 0, SEEK_CUR));
}

CASE(as_a_file)
{
    int fd = dial(ECHO);
    struct stat st;
    struct timespec ts[2] = {{1, 0}, {2, 0}};
    SAY(fsync(fd));
    SAY(fdatasync(fd));
    SAY(syncfs(fd));
    SAY(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE));
    SAY(ftruncate(fd, 0));
    SAY(ftruncate(fd, -1));
    SAY(readahead(fd, 0, 10));
    SAY(fchdir(fd));
    SAY(fchmod(fd, 0600));
    SAY(fchown(fd, 1, 1));
    SAY(fstat(fd, &st));
    SAY(st.st_uid);
    SAY(fchown(fd, 0, 0));
    SAY(futimens(fd, ts));
    SAY(fstat(fd, &st));
    SAY(st.st_size);
    SAY(st.st_blksize);
    SAY(st.st_nlink);
    SAY(flock(fd, LOCK_EX | LOCK_NB));
    SAY(flock(dup(fd), LOCK_SH | LOCK_NB));
    SAY(flock(fd, LOCK_UN));
    SAY(flock(fd, 99));
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    SAY(fcntl(fd, F_SETLK, &fl));
    SAY(fcntl(fd, F_GETLK, &fl));
    SAY(fl.l_type);
    SAY(fcntl(fd, F_OFD_SETLK, &fl));
    SAY(lockf(fd, F_TEST, 0));
    SAY(openat(fd, "x", O_RDONLY));
    SAY(mkdirat(fd, "x", 0700));
    SAY(linkat(fd, "", AT_FDCWD, "/nowhere/x", AT_EMPTY_PATH));
    SAY(faccessat(fd, "x", F_OK, 0));
    SAY(syscall(SYS_getdents64, fd, &st, sizeof st));
    char *argv[] = {"x", NULL};
    SAY(fexecve(fd, argv, argv));
    SAY(isatty(fd));
    SAY(ttyname(fd) == NULL);
    struct termios t;
    SAY(tcgetattr(fd, &t));
    SAY(tcflush(fd, TCIFLUSH));
    SAY(fpathconf(fd, _PC_PIPE_BUF));
    SAY(fgetxattr(fd, "user.x", argv, 8));
    SAY(fremovexattr(fd, "user.x"));
}

CASE(as_another_descriptor)
{
    int fd = dial(ECHO), n = MUST(open("/dev/null", O_RDWR)), p[2];
    MUST(pipe(p));
    struct epoll_event ev = {.events = EPOLLIN};
    struct itimerspec its = {{0, 0}, {1, 0}};
    siginfo_t si;
    sigset_t set;
    sigemptyset(&set);
    SAY(epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &ev));
    SAY(epoll_ctl(fd, EPOLL_CTL_ADD, fd, &ev));
    SAY(epoll_wait(fd, &ev, 1, 0));
    SAY(signalfd(fd, &set, 0));
    SAY(timerfd_settime(fd, 0, &its, NULL));
    SAY(timerfd_gettime(fd, &its));
    SAY(inotify_add_watch(fd, "/", IN_OPEN));
    SAY(inotify_rm_watch(fd, 1));
    SAY(waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG));
    SAY(pidfd_send_signal(fd, 0, NULL, 0));
    SAY(pidfd_getfd(fd, 0, 0));
    SAY(setns(fd, 0));
    SAY(setns(fd, CLONE_NEWNET));
    SAY(fcntl(fd, F_GETPIPE_SZ));
    SAY(fcntl(fd, F_SETPIPE_SZ, 65536));
    SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SAY(fcntl(fd, F_GET_SEALS));
    SAY(fcntl(fd, F_SETLEASE, F_RDLCK));
    SAY(fcntl(fd, F_GETLEASE));
    SAY(fcntl(fd, F_NOTIFY, DN_ACCESS));
    SAY(fcntl(fd, 9999));
    SAY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, n, 0) == MAP_FAILED);
    SAY(bind(n, (struct sockaddr *)&host4, sizeof host4));
    SAY(listen(n, 1));
    SAY(shutdown(n, SHUT_RD));
    SAY(echoes(fd));
}

CASE(by_stdio)
{
    int fd = dial(ECHO);
    char line[64] = "";
    FILE *f = fdopen(fd, "r+");
    SAY(f != NULL);
    setvbuf(f, NULL, _IOFBF, 4096);
    SAY(fprintf(f, "hello %d\n", 7));
    SAY(fflush(f));
    SAY(fgets(line, sizeof line, f) == line);
    say_bytes("line", line, strlen(line));
    SAY(ftell(f));
    SAY(fseek(f, 0, SEEK_SET));
    SAY(ferror(f));
    clearerr(f);
    FILE *in = fdopen(dup(fd), "r"), *out = fdopen(dup(fd), "w");
    SAY(fputs("two\nthree\n", out));
    SAY(fclose(out));
    SAY(getline(&(char *){NULL}, &(size_t){0}, in));
    SAY(fgetc(in));
    SAY(shutdown(fd, SHUT_WR));
    while (fgetc(in) != EOF)
        ;
    SAY(feof(in));
    SAY(fclose(in));
    SAY(fclose(f));
    SAY(fcntl(fd, F_GETFD));
    SAY(fdopen(fd, "r") == NULL);
    int d = dial(ECHO);
    SAY(dprintf(d, "%s", "direct"));
    SAY(recv(d, line, 6, MSG_WAITALL));
}

CASE(by_asynchronous_io)
{
    int fd = dial(ECHO);
    char buf[8] = "";
    struct aiocb w = {.aio_fildes = fd, .aio_buf = "aio!", .aio_nbytes = 4};
    struct aiocb r = {.aio_fildes = fd, .aio_buf = buf, .aio_nbytes = 4};
    const struct aiocb *list[] = {&r};
    SAY(aio_write(&w));
    list[0] = &w;
    SAY(aio_suspend(list, 1, NULL));
    SAY(aio_error(&w));
    SAY(aio_read(&r));
    list[0] = &r;
    SAY(aio_suspend(list, 1, NULL));
    SAY(aio_error(&r));
    SAY(aio_fsync(O_SYNC, &r));
    list[0] = &r;
    aio_suspend(list, 1, NULL);
    SAY(aio_error(&r));
}

CASE(links_of_proc)
{
    int fd = dial(ECHO), n;
    char path[64], to[64] = "", again[64] = "";
    struct stat a, b;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SAY(readlink(path, to, sizeof to - 1) > 9);
    SAY(strncmp(to, "socket:[", 8));
    fstat(fd, &a);
    SAY(strtoul(to + 8, NULL, 10) == a.st_ino);
    int copy = dup(fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    SAY(readlink(path, again, sizeof again - 1) > 9);
    SAY(strcmp(to, again));
    n = open(path, O_PATH | O_NOFOLLOW);
    SAY(n >= 0);
    SAY(fstat(copy, &b) | (a.st_ino != b.st_ino) | (a.st_dev != b.st_dev));
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    SAY(access(path, R_OK));
    SAY(echoes(fd));
}
