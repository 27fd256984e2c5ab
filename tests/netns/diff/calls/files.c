/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket as a file: fcntl, ioctl, fstat, seeking, sendfile and splice, signals. */
#include "diff.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

CASE(file_seeking)
{
    struct ends e = tcp_ends();
    char b[4];
    struct iovec v = {b, 4};

    SAY(lseek(e.s, 0, SEEK_SET));
    SAY(lseek(e.s, 0, SEEK_CUR));
    SAY(lseek(e.s, 0, 77));
    SAY(pread(e.s, b, 4, 0));
    SAY(pwrite(e.s, b, 4, 0));
    SAY(pread(e.s, b, 4, -1));
    SAY(preadv(e.s, &v, 1, 0));
    SAY(pwritev(e.s, &v, 1, 0));
    SAY(preadv2(e.s, &v, 1, 0, 0));
    SAY(preadv2(e.s, &v, 1, -1, RWF_NOWAIT));
    SAY(pwritev2(e.s, &v, 1, -1, 0));
    SAY(pwritev2(e.s, &v, 1, -1, 0x8000));
    feed(e, "ab");
    SAY(preadv2(e.s, &v, 1, -1, RWF_HIPRI));
    feed(e, "ab");
    SAY(preadv2(e.s, &v, 1, -1, 0));
}

CASE(file_operations)
{
    struct ends e = tcp_ends();
    char b[64];

    SAY(ftruncate(e.s, 0));
    SAY(ftruncate(e.s, -1));
    SAY(fsync(e.s));
    SAY(fdatasync(e.s));
    SAY(posix_fadvise(e.s, 0, 0, POSIX_FADV_NORMAL));
    SAY(posix_fallocate(e.s, 0, 10));
    SAY(fallocate(e.s, 0, 0, 10));
    SAY(readahead(e.s, 0, 10));
    SAY(sync_file_range(e.s, 0, 0, 0));
    SAY(syncfs(e.s));
    SAY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, e.s, 0) == MAP_FAILED ? -1 : 0);
    SAY(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, e.s, 0) == MAP_FAILED ? -1 : 0);
    SAY(fchdir(e.s));
    SAY(fgetxattr(e.s, "user.x", b, sizeof b));
    SAY(getdents64(e.s, b, sizeof b));
    SAY(flock(e.s, LOCK_SH | LOCK_NB));
    SAY(flock(e.s, LOCK_UN));
    SAY(lockf(e.s, F_TEST, 0));
    SAY(isatty(e.s));
    SAY(openat(e.s, "x", O_RDONLY));
    SAY(fpathconf(e.s, _PC_PIPE_BUF));
    SAY(fchmod(e.s, 0600));
    SAY(fchown(e.s, 0, 0));
    SAY(futimens(e.s, NULL));
}

CASE(file_stat)
{
    struct ends e = tcp_ends();
    struct ends u = udp_ends();
    struct stat st, st2;
    struct statfs fs;
    struct statx sx;
    char path[64], link[64] = {0};

    SAY(fstat(e.s, &st));
    say("mode %o size %ld blocks %ld nlink %lu uid %d rdev %ld blksize %ld", st.st_mode, (long)st.st_size,
        (long)st.st_blocks, (unsigned long)st.st_nlink, (int)st.st_uid, (long)st.st_rdev, (long)st.st_blksize);
    SAY(fstat(u.s, &st2));
    say("same device %d same inode %d", st.st_dev == st2.st_dev, st.st_ino == st2.st_ino);
    SAY(fstat(dup(e.s), &st2));
    say("same inode %d", st.st_ino == st2.st_ino);
    say("as the peer's: device %d", fstat(e.p, &st2) == 0 && st.st_dev == st2.st_dev);
    SAY(fstatat(e.s, "", &st, AT_EMPTY_PATH));
    say("mode %o", st.st_mode);
    SAY(fstatat(e.s, "x", &st, 0));
    SAY(statx(e.s, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
    say("mode %o", sx.stx_mode);
    SAY(fstatfs(e.s, &fs));
    say("type %lx", (unsigned long)fs.f_type);
    snprintf(path, sizeof path, "/proc/self/fd/%d", e.s);
    SAY(readlink(path, link, sizeof link - 1) > 0);
    say("%.8s", link);
    SAY(stat(path, &st));
    say("mode %o", st.st_mode);
    SAY(open(path, O_RDWR));
    snprintf(path, sizeof path, "/dev/fd/%d", e.s);
    SAY(readlink(path, link, 8));
    say("%.8s", link);
}

CASE(file_fcntl)
{
    struct ends e = tcp_ends();
    int n;

    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_SETFL, O_NONBLOCK));
    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_SETFL, O_RDWR | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME));
    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_SETFL, O_RDWR | O_APPEND | O_ASYNC));
    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC));
    SAY(fcntl(e.s, F_GETFL));
    SAY(fcntl(e.s, F_GETFD));
    SAY(fcntl(e.s, F_SETFD, FD_CLOEXEC));
    SAY(fcntl(e.s, F_GETFD));
    SAY(fcntl(e.s, F_SETFD, 2));
    SAY(fcntl(e.s, F_GETFD));
    SAY((n = fcntl(e.s, F_DUPFD, 100)));
    SAY(fcntl(n, F_GETFD));
    SAY(fcntl(n, F_SETFL, O_NONBLOCK));
    SAY(fcntl(e.s, F_GETFL));
    SAY((n = fcntl(e.s, F_DUPFD_CLOEXEC, 100)));
    SAY(fcntl(n, F_GETFD));
    SAY(fcntl(e.s, F_DUPFD, -1));
    SAY(fcntl(e.s, F_DUPFD, 1 << 30));
    SAY(fcntl(e.s, F_GETPIPE_SZ));
    SAY(fcntl(e.s, F_SETPIPE_SZ, 4096));
    SAY(fcntl(e.s, F_GETLEASE));
    SAY(fcntl(e.s, F_SETLEASE, F_RDLCK));
    SAY(fcntl(e.s, F_NOTIFY, DN_ACCESS));
    SAY(fcntl(e.s, F_GET_SEALS));
    SAY(fcntl(e.s, F_ADD_SEALS, 0));
    SAY(fcntl(e.s, 9999));
    SAY(fcntl(e.s, F_GETSIG));
    SAY(fcntl(e.s, F_SETSIG, SIGUSR1));
    SAY(fcntl(e.s, F_GETSIG));
    SAY(fcntl(e.s, F_SETSIG, 999));
    SAY(fcntl(e.s, F_GETOWN));
    SAY(fcntl(e.s, F_SETOWN, getpid()));
    SAY(fcntl(e.s, F_GETOWN) == getpid());
    SAY(fcntl(e.s, F_SETOWN, 999999));
    SAY(fcntl(-1, F_GETFL));
    struct flock fl = {.l_type = F_RDLCK};
    SAY(fcntl(e.s, F_GETLK, &fl));
    SAY(fcntl(e.s, F_SETLK, &fl));
    fl.l_type = F_WRLCK;
    SAY(fcntl(e.s, F_SETLK, &fl));
}

CASE(file_ioctl)
{
    struct ends e = tcp_ends();
    int n = -1, on = 1;
    char b[8];

    SAY(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    feed(e, "abc");
    SAY(ioctl(e.s, SIOCINQ, &n));
    say("%d", n);
    recv(e.s, b, 1, 0);
    SAY(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    SAY(ioctl(e.s, SIOCOUTQ, &n));
    say("%d", n);
    SAY(ioctl(e.s, SIOCOUTQNSD, &n));
    say("%d", n);
    SAY(ioctl(e.s, FIONBIO, &on));
    SAY(fcntl(e.s, F_GETFL));
    on = 0;
    SAY(ioctl(e.s, FIONBIO, &on));
    SAY(fcntl(e.s, F_GETFL));
    SAY(ioctl(e.s, FIOCLEX));
    SAY(fcntl(e.s, F_GETFD));
    SAY(ioctl(e.s, FIONCLEX));
    SAY(fcntl(e.s, F_GETFD));
    SAY(ioctl(e.s, TCGETS, b));
    SAY(ioctl(e.s, TIOCGWINSZ, b));
    SAY(ioctl(e.s, 0x12345678, b));
    SAY(ioctl(e.s, FIGETBSZ, &n));
    n = getpid();
    SAY(ioctl(e.s, FIOSETOWN, &n));
    n = 0;
    SAY(ioctl(e.s, FIOGETOWN, &n));
    say("own %d", n == getpid());
    n = getpid();
    SAY(ioctl(e.s, SIOCSPGRP, &n));
    n = 0;
    SAY(ioctl(e.s, SIOCGPGRP, &n));
    say("own %d", n == getpid());
    struct timeval tv;
    SAY(ioctl(e.s, SIOCGSTAMP, &tv));
    SAY(ioctl(-1, FIONREAD, &n));
    on = 1;
    SAY(ioctl(e.s, FIOASYNC, &on));
    SAY(fcntl(e.s, F_GETFL));
}

CASE(file_interfaces)
{
    struct ends e = tcp_ends();
    struct ifreq r = {0};
    char b[512];
    struct ifconf c = {.ifc_len = sizeof b, .ifc_buf = b};

    strcpy(r.ifr_name, "lo");
    SAY(ioctl(e.s, SIOCGIFINDEX, &r));
    say("index %d", r.ifr_ifindex);
    SAY(ioctl(e.s, SIOCGIFFLAGS, &r));
    SAY(ioctl(e.s, SIOCGIFMTU, &r));
    say("mtu %d", r.ifr_mtu);
    SAY(ioctl(e.s, SIOCGIFADDR, &r));
    say_addr("address", &r.ifr_addr, 16);
    SAY(ioctl(e.s, SIOCGIFNETMASK, &r));
    SAY(ioctl(e.s, SIOCGIFHWADDR, &r));
    SAY(ioctl(e.s, SIOCGIFCONF, &c));
    say("%d", c.ifc_len);
    r.ifr_ifindex = 1;
    SAY(ioctl(e.s, SIOCGIFNAME, &r));
    strcpy(r.ifr_name, "nothere");
    SAY(ioctl(e.s, SIOCGIFINDEX, &r));
    SAY(ioctl(e.s, SIOCGIFADDR, &r));
}

CASE(file_sigio)
{
    struct ends e = tcp_ends();
    char b[8];

    count_signals(SIGIO);
    SAY(fcntl(e.s, F_SETOWN, getpid()));
    SAY(fcntl(e.s, F_SETFL, O_ASYNC | O_NONBLOCK));
    SAY(fcntl(e.s, F_GETFL));
    feed(e, "abc");
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("SIGIO %d", signals > 0);
    recv(e.s, b, 8, 0);
    signals = 0;
    SAY(fcntl(e.s, F_SETFL, 0));
    feed(e, "abc");
    usleep(20000);
    say("SIGIO %d", signals > 0);
}

CASE(file_sigio_dgram)
{
    struct ends e = udp_ends();
    int on = 1, own = getpid();

    count_signals(SIGIO);
    SAY(ioctl(e.s, FIOSETOWN, &own));
    SAY(ioctl(e.s, FIOASYNC, &on));
    feed(e, "abc");
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("SIGIO %d", signals > 0);
}

CASE(file_sigio_listener)
{
    int port, l = host_listener(&port);

    count_signals(SIGIO);
    count_signals(SIGUSR1);
    SAY(fcntl(l, F_SETOWN, getpid()));
    SAY(fcntl(l, F_SETSIG, SIGUSR1));
    SAY(fcntl(l, F_SETFL, O_ASYNC));
    try_connect(peer_socket(AF_INET, SOCK_STREAM), host4.sin_addr, port);
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("signal %d", last_signal);
}

CASE(file_sigurg)
{
    struct ends e = tcp_ends();

    count_signals(SIGURG);
    SAY(fcntl(e.s, F_SETOWN, getpid()));
    SAY(send(e.p, "a", 1, MSG_OOB));
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("SIGURG %d", signals > 0);
}

CASE(file_sendfile)
{
    struct ends e = tcp_ends();
    char name[] = "/tmp/diff-XXXXXX", b[64] = {0};
    const int f = mkstemp(name);
    off_t off = 2;

    unlink(name);
    NEED(write(f, "abcdefghij", 10) == 10);
    lseek(f, 0, SEEK_SET);
    SAY(sendfile(e.s, f, NULL, 4));
    SAY(lseek(f, 0, SEEK_CUR));
    SAY(sendfile(e.s, f, &off, 3));
    say("offset %ld", (long)off);
    SAY(lseek(f, 0, SEEK_CUR));
    SAY(sendfile(e.s, f, NULL, 1000));
    SAY(sendfile(e.s, f, NULL, 1000));
    SAY(sendfile(e.s, f, NULL, 0));
    off = -1;
    SAY(sendfile(e.s, f, &off, 3));
    off = 100;
    SAY(sendfile(e.s, f, &off, 3));
    SAY(sendfile(e.s, e.p, NULL, 3));
    SAY(sendfile(e.s, e.s, NULL, 3));
    SAY(sendfile(e.s, -1, NULL, 3));
    SAY(sendfile(-1, f, NULL, 3));
    SAY(sendfile(f, e.s, NULL, 3));
    SAY(sendfile(e.s, open("/dev/null", O_WRONLY), NULL, 3));
    int pp[2];
    NEED(pipe(pp) == 0 && write(pp[1], "pip", 3) == 3);
    SAY(sendfile(e.s, pp[0], NULL, 3));
    off = 0;
    SAY(sendfile(e.s, pp[0], &off, 3));
    feed(e, "soc");
    SAY(sendfile(pp[1], e.s, NULL, 3));
    await_bytes(e.p, 16);
    SAY(recv(e.p, b, 64, 0));
    say_bytes("arrived", b, 20);
    lseek(f, 0, SEEK_SET);
    shutdown(e.s, SHUT_WR);
    count_signals(SIGPIPE);
    SAY(sendfile(e.s, f, NULL, 3));
    say("signals %d", (int)signals);
}

CASE(file_splice)
{
    struct ends e = tcp_ends();
    int pp[2], f = open("/etc/passwd", O_RDONLY);
    char b[16] = {0};
    off_t off = 0;

    NEED(pipe(pp) == 0);
    NEED(write(pp[1], "abcdef", 6) == 6);
    SAY(splice(pp[0], NULL, e.s, NULL, 4, 0));
    SAY(splice(pp[0], &off, e.s, NULL, 4, 0));
    SAY(splice(pp[0], NULL, e.s, &off, 4, 0));
    SAY(splice(f, NULL, e.s, NULL, 4, 0));
    SAY(splice(e.s, NULL, e.s, NULL, 4, 0));
    SAY(splice(e.s, NULL, e.p, NULL, 4, 0));
    SAY(splice(e.s, NULL, -1, NULL, 4, 0));
    SAY(splice(-1, NULL, e.s, NULL, 4, 0));
    SAY(splice(pp[0], NULL, e.s, NULL, 0, 0));
    SAY(splice(pp[0], NULL, e.s, NULL, 4, 0x80));
    SAY(splice(pp[1], NULL, e.s, NULL, 4, 0));
    SAY(splice(e.s, NULL, pp[0], NULL, 4, 0));
    SAY(splice(pp[0], NULL, e.s, NULL, 100, SPLICE_F_MORE));
    SAY(splice(pp[0], NULL, e.s, NULL, 100, SPLICE_F_NONBLOCK));
    SAY(send(e.s, "!", 1, 0));
    await_bytes(e.p, 7);
    SAY(recv(e.p, b, 16, 0));
    say_bytes("arrived", b, 7);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    SAY(splice(e.s, NULL, pp[1], NULL, 100, 0));
    fcntl(e.s, F_SETFL, 0);
    feed(e, "abcdefgh");
    SAY(splice(e.s, NULL, pp[1], NULL, 5, 0));
    SAY(splice(e.s, NULL, pp[1], NULL, 100, 0));
    SAY(read(pp[0], b, 16));
    off = 0;
    SAY(copy_file_range(f, NULL, e.s, NULL, 4, 0));
    SAY(copy_file_range(e.s, NULL, f, NULL, 4, 0));
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLRDHUP);
    SAY(splice(e.s, NULL, pp[1], NULL, 5, 0));
    shutdown(e.s, SHUT_WR);
    write(pp[1], "abc", 3);
    count_signals(SIGPIPE);
    SAY(splice(pp[0], NULL, e.s, NULL, 3, 0));
    say("signals %d", (int)signals);
}

/* As a proxy does it: a pipe that blocks, filled while the other side does not take what is in it. */
CASE(file_splice_no_wait)
{
    struct ends e = tcp_ends();
    static char out[150000], in[sizeof out];
    size_t got = 0, sent = 50000;
    int pp[2], rounds = 0;
    ssize_t n;

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 2654435761u >> 24);
    NEED(pipe(pp) == 0 && write(pp[1], out, sent) == (ssize_t)sent);
    fcntl(e.p, F_SETFL, O_NONBLOCK);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    sent += (size_t)send(e.p, out + sent, 40000, 0);
    await_bytes(e.s, 40000);
    while ((n = splice(e.s, NULL, pp[1], NULL, 1 << 20, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)) > 0)
        rounds++;
    SAY_AS("into a full pipe", n);
    SAY(rounds > 0);
    while (got < sizeof out) {
        if ((n = read(pp[0], in + got, sizeof in - got)) > 0)
            got += (size_t)n;
        if (sent < sizeof out && (n = send(e.p, out + sent, sizeof out - sent, 0)) > 0)
            sent += (size_t)n;
        if (got == sizeof out)
            break;
        await(e.s, POLLIN);
        while (splice(e.s, NULL, pp[1], NULL, 1 << 20, SPLICE_F_MOVE | SPLICE_F_NONBLOCK) > 0)
            ;
    }
    SAY(memcmp(in, out, sizeof out));
}

CASE(file_dup)
{
    struct ends e = tcp_ends();
    const int d = dup(e.s);
    char b[8];

    SAY(dup2(e.s, e.s) == e.s);
    SAY(dup3(e.s, e.s, 0));
    SAY(dup3(e.s, 50, 0x10));
    SAY(dup3(e.s, 50, O_CLOEXEC));
    SAY(fcntl(50, F_GETFD));
    SAY(dup2(e.s, -1));
    SAY(dup2(e.s, 1 << 30));
    SAY(dup2(-1, 60));
    feed(e, "abcdef");
    SAY(recv(d, b, 2, 0));
    SAY(close(e.s));
    SAY(recv(50, b, 2, 0));
    SAY(close(50));
    SAY(recv(d, b, 2, 0));
    SAY(send(d, "x", 1, 0));
    SAY(recv(e.p, b, 8, 0));
    SAY(close(d));
    SAY(recv(e.p, b, 8, 0));
}

CASE(file_epoll)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, out[4];

    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, &ev));
    SAY(epoll_ctl(ep, 99, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_ctl(e.s, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    SAY(epoll_ctl(-1, EPOLL_CTL_ADD, e.s, &ev));
    SAY(epoll_wait(e.s, out, 1, 0));
    SAY(epoll_wait(ep, out, 0, 0));
    SAY(epoll_wait(ep, out, -1, 0));
    SAY(epoll_wait(ep, out, 1 << 30, 0));
    SAY(epoll_wait(ep, out, 4, 0));
    feed(e, "abc");
    SAY(epoll_wait(ep, out, 4, 1000));
    SAY(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT;
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    SAY(epoll_wait(ep, out, 4, 0));
    say("%x", out[0].events);
    SAY(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE;
    SAY(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    SAY(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, NULL));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    SAY(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    SAY(read(ep, out, 4));
    SAY(write(ep, out, 4));
    SAY(send(ep, out, 4, 0));
    SAY(recv(ep, out, 4, 0));
}
