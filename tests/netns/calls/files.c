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

    T(lseek(e.s, 0, SEEK_SET));
    T(lseek(e.s, 0, SEEK_CUR));
    T(lseek(e.s, 0, 77));
    T(pread(e.s, b, 4, 0));
    T(pwrite(e.s, b, 4, 0));
    T(pread(e.s, b, 4, -1));
    T(preadv(e.s, &v, 1, 0));
    T(pwritev(e.s, &v, 1, 0));
    T(preadv2(e.s, &v, 1, 0, 0));
    T(preadv2(e.s, &v, 1, -1, RWF_NOWAIT));
    T(pwritev2(e.s, &v, 1, -1, 0));
    T(pwritev2(e.s, &v, 1, -1, 0x8000));
    feed(e, "ab");
    T(preadv2(e.s, &v, 1, -1, RWF_HIPRI));
    feed(e, "ab");
    T(preadv2(e.s, &v, 1, -1, 0));
}

CASE(file_operations)
{
    struct ends e = tcp_ends();
    char b[64];

    T(ftruncate(e.s, 0));
    T(ftruncate(e.s, -1));
    T(fsync(e.s));
    T(fdatasync(e.s));
    T(posix_fadvise(e.s, 0, 0, POSIX_FADV_NORMAL));
    T(posix_fallocate(e.s, 0, 10));
    T(fallocate(e.s, 0, 0, 10));
    T(readahead(e.s, 0, 10));
    T(sync_file_range(e.s, 0, 0, 0));
    T(syncfs(e.s));
    T(mmap(NULL, 4096, PROT_READ, MAP_SHARED, e.s, 0) == MAP_FAILED ? -1 : 0);
    T(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, e.s, 0) == MAP_FAILED ? -1 : 0);
    T(fchdir(e.s));
    T(fgetxattr(e.s, "user.x", b, sizeof b));
    T(getdents64(e.s, b, sizeof b));
    T(flock(e.s, LOCK_SH | LOCK_NB));
    T(flock(e.s, LOCK_UN));
    T(lockf(e.s, F_TEST, 0));
    T(isatty(e.s));
    T(openat(e.s, "x", O_RDONLY));
    T(fpathconf(e.s, _PC_PIPE_BUF));
    T(fchmod(e.s, 0600));
    T(fchown(e.s, 0, 0));
    T(futimens(e.s, NULL));
}

CASE(file_stat)
{
    struct ends e = tcp_ends();
    struct ends u = udp_ends();
    struct stat st, st2;
    struct statfs fs;
    struct statx sx;
    char path[64], link[64] = {0};

    T(fstat(e.s, &st));
    say("mode %o size %ld blocks %ld nlink %lu uid %d rdev %ld blksize %ld", st.st_mode, (long)st.st_size,
        (long)st.st_blocks, (unsigned long)st.st_nlink, (int)st.st_uid, (long)st.st_rdev, (long)st.st_blksize);
    T(fstat(u.s, &st2));
    say("same device %d same inode %d", st.st_dev == st2.st_dev, st.st_ino == st2.st_ino);
    T(fstat(dup(e.s), &st2));
    say("same inode %d", st.st_ino == st2.st_ino);
    say("as the peer's: device %d", fstat(e.p, &st2) == 0 && st.st_dev == st2.st_dev);
    T(fstatat(e.s, "", &st, AT_EMPTY_PATH));
    say("mode %o", st.st_mode);
    T(fstatat(e.s, "x", &st, 0));
    T(statx(e.s, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
    say("mode %o", sx.stx_mode);
    T(fstatfs(e.s, &fs));
    say("type %lx", (unsigned long)fs.f_type);
    snprintf(path, sizeof path, "/proc/self/fd/%d", e.s);
    T(readlink(path, link, sizeof link - 1) > 0);
    say("%.8s", link);
    T(stat(path, &st));
    say("mode %o", st.st_mode);
    T(open(path, O_RDWR));
    snprintf(path, sizeof path, "/dev/fd/%d", e.s);
    T(readlink(path, link, 8));
    say("%.8s", link);
}

CASE(file_fcntl)
{
    struct ends e = tcp_ends();
    int n;

    T(fcntl(e.s, F_GETFL));
    T(fcntl(e.s, F_SETFL, O_NONBLOCK));
    T(fcntl(e.s, F_GETFL));
    T(fcntl(e.s, F_SETFL, O_RDWR | O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME));
    T(fcntl(e.s, F_GETFL));
    T(fcntl(e.s, F_SETFL, O_RDWR | O_APPEND | O_ASYNC));
    T(fcntl(e.s, F_GETFL));
    T(fcntl(e.s, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC));
    T(fcntl(e.s, F_GETFL));
    T(fcntl(e.s, F_GETFD));
    T(fcntl(e.s, F_SETFD, FD_CLOEXEC));
    T(fcntl(e.s, F_GETFD));
    T(fcntl(e.s, F_SETFD, 2));
    T(fcntl(e.s, F_GETFD));
    T((n = fcntl(e.s, F_DUPFD, 100)));
    T(fcntl(n, F_GETFD));
    T(fcntl(n, F_SETFL, O_NONBLOCK));
    T(fcntl(e.s, F_GETFL));
    T((n = fcntl(e.s, F_DUPFD_CLOEXEC, 100)));
    T(fcntl(n, F_GETFD));
    T(fcntl(e.s, F_DUPFD, -1));
    T(fcntl(e.s, F_DUPFD, 1 << 30));
    T(fcntl(e.s, F_GETPIPE_SZ));
    T(fcntl(e.s, F_SETPIPE_SZ, 4096));
    T(fcntl(e.s, F_GETLEASE));
    T(fcntl(e.s, F_SETLEASE, F_RDLCK));
    T(fcntl(e.s, F_NOTIFY, DN_ACCESS));
    T(fcntl(e.s, F_GET_SEALS));
    T(fcntl(e.s, F_ADD_SEALS, 0));
    T(fcntl(e.s, 9999));
    T(fcntl(e.s, F_GETSIG));
    T(fcntl(e.s, F_SETSIG, SIGUSR1));
    T(fcntl(e.s, F_GETSIG));
    T(fcntl(e.s, F_SETSIG, 999));
    T(fcntl(e.s, F_GETOWN));
    T(fcntl(e.s, F_SETOWN, getpid()));
    T(fcntl(e.s, F_GETOWN) == getpid());
    T(fcntl(e.s, F_SETOWN, 999999));
    T(fcntl(-1, F_GETFL));
    struct flock fl = {.l_type = F_RDLCK};
    T(fcntl(e.s, F_GETLK, &fl));
    T(fcntl(e.s, F_SETLK, &fl));
    fl.l_type = F_WRLCK;
    T(fcntl(e.s, F_SETLK, &fl));
}

CASE(file_ioctl)
{
    struct ends e = tcp_ends();
    int n = -1, on = 1;
    char b[8];

    T(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    feed(e, "abc");
    T(ioctl(e.s, SIOCINQ, &n));
    say("%d", n);
    recv(e.s, b, 1, 0);
    T(ioctl(e.s, FIONREAD, &n));
    say("%d", n);
    T(ioctl(e.s, SIOCOUTQ, &n));
    say("%d", n);
    T(ioctl(e.s, SIOCOUTQNSD, &n));
    say("%d", n);
    T(ioctl(e.s, FIONBIO, &on));
    T(fcntl(e.s, F_GETFL));
    on = 0;
    T(ioctl(e.s, FIONBIO, &on));
    T(fcntl(e.s, F_GETFL));
    T(ioctl(e.s, FIOCLEX));
    T(fcntl(e.s, F_GETFD));
    T(ioctl(e.s, FIONCLEX));
    T(fcntl(e.s, F_GETFD));
    T(ioctl(e.s, TCGETS, b));
    T(ioctl(e.s, TIOCGWINSZ, b));
    T(ioctl(e.s, 0x12345678, b));
    T(ioctl(e.s, FIGETBSZ, &n));
    n = getpid();
    T(ioctl(e.s, FIOSETOWN, &n));
    n = 0;
    T(ioctl(e.s, FIOGETOWN, &n));
    say("own %d", n == getpid());
    n = getpid();
    T(ioctl(e.s, SIOCSPGRP, &n));
    n = 0;
    T(ioctl(e.s, SIOCGPGRP, &n));
    say("own %d", n == getpid());
    struct timeval tv;
    T(ioctl(e.s, SIOCGSTAMP, &tv));
    T(ioctl(-1, FIONREAD, &n));
    on = 1;
    T(ioctl(e.s, FIOASYNC, &on));
    T(fcntl(e.s, F_GETFL));
}

CASE(file_interfaces)
{
    struct ends e = tcp_ends();
    struct ifreq r = {0};
    char b[512];
    struct ifconf c = {.ifc_len = sizeof b, .ifc_buf = b};

    strcpy(r.ifr_name, "lo");
    T(ioctl(e.s, SIOCGIFINDEX, &r));
    say("index %d", r.ifr_ifindex);
    T(ioctl(e.s, SIOCGIFFLAGS, &r));
    T(ioctl(e.s, SIOCGIFMTU, &r));
    say("mtu %d", r.ifr_mtu);
    T(ioctl(e.s, SIOCGIFADDR, &r));
    say_addr("address", &r.ifr_addr, 16);
    T(ioctl(e.s, SIOCGIFNETMASK, &r));
    T(ioctl(e.s, SIOCGIFHWADDR, &r));
    T(ioctl(e.s, SIOCGIFCONF, &c));
    say("%d", c.ifc_len);
    r.ifr_ifindex = 1;
    T(ioctl(e.s, SIOCGIFNAME, &r));
    strcpy(r.ifr_name, "nothere");
    T(ioctl(e.s, SIOCGIFINDEX, &r));
    T(ioctl(e.s, SIOCGIFADDR, &r));
}

CASE(file_sigio)
{
    struct ends e = tcp_ends();
    char b[8];

    count_signals(SIGIO);
    T(fcntl(e.s, F_SETOWN, getpid()));
    T(fcntl(e.s, F_SETFL, O_ASYNC | O_NONBLOCK));
    T(fcntl(e.s, F_GETFL));
    feed(e, "abc");
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("SIGIO %d", signals > 0);
    recv(e.s, b, 8, 0);
    signals = 0;
    T(fcntl(e.s, F_SETFL, 0));
    feed(e, "abc");
    usleep(20000);
    say("SIGIO %d", signals > 0);
}

CASE(file_sigio_dgram)
{
    struct ends e = udp_ends();
    int on = 1, own = getpid();

    count_signals(SIGIO);
    T(ioctl(e.s, FIOSETOWN, &own));
    T(ioctl(e.s, FIOASYNC, &on));
    feed(e, "abc");
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("SIGIO %d", signals > 0);
}

CASE(file_sigio_listener)
{
    int port, l = listener(&port);

    count_signals(SIGIO);
    count_signals(SIGUSR1);
    T(fcntl(l, F_SETOWN, getpid()));
    T(fcntl(l, F_SETSIG, SIGUSR1));
    T(fcntl(l, F_SETFL, O_ASYNC));
    try_connect(peer_socket(AF_INET, SOCK_STREAM), host_ip, port);
    for (int i = 0; i < 100 && !signals; i++)
        usleep(5000);
    say("signal %d", last_signal);
}

CASE(file_sigurg)
{
    struct ends e = tcp_ends();

    count_signals(SIGURG);
    T(fcntl(e.s, F_SETOWN, getpid()));
    T(send(e.p, "a", 1, MSG_OOB));
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
    MUST(write(f, "abcdefghij", 10) == 10);
    lseek(f, 0, SEEK_SET);
    T(sendfile(e.s, f, NULL, 4));
    T(lseek(f, 0, SEEK_CUR));
    T(sendfile(e.s, f, &off, 3));
    say("offset %ld", (long)off);
    T(lseek(f, 0, SEEK_CUR));
    T(sendfile(e.s, f, NULL, 1000));
    T(sendfile(e.s, f, NULL, 1000));
    T(sendfile(e.s, f, NULL, 0));
    off = -1;
    T(sendfile(e.s, f, &off, 3));
    off = 100;
    T(sendfile(e.s, f, &off, 3));
    T(sendfile(e.s, e.p, NULL, 3));
    T(sendfile(e.s, e.s, NULL, 3));
    T(sendfile(e.s, -1, NULL, 3));
    T(sendfile(-1, f, NULL, 3));
    T(sendfile(f, e.s, NULL, 3));
    T(sendfile(e.s, open("/dev/null", O_WRONLY), NULL, 3));
    int pp[2];
    MUST(pipe(pp) == 0 && write(pp[1], "pip", 3) == 3);
    T(sendfile(e.s, pp[0], NULL, 3));
    off = 0;
    T(sendfile(e.s, pp[0], &off, 3));
    feed(e, "soc");
    T(sendfile(pp[1], e.s, NULL, 3));
    await_bytes(e.p, 16);
    T(recv(e.p, b, 64, 0));
    say_bytes("arrived", b, 20);
    lseek(f, 0, SEEK_SET);
    shutdown(e.s, SHUT_WR);
    count_signals(SIGPIPE);
    T(sendfile(e.s, f, NULL, 3));
    say("signals %d", (int)signals);
}

CASE(file_splice)
{
    struct ends e = tcp_ends();
    int pp[2], f = open("/etc/passwd", O_RDONLY);
    char b[16] = {0};
    off_t off = 0;

    MUST(pipe(pp) == 0);
    MUST(write(pp[1], "abcdef", 6) == 6);
    T(splice(pp[0], NULL, e.s, NULL, 4, 0));
    T(splice(pp[0], &off, e.s, NULL, 4, 0));
    T(splice(pp[0], NULL, e.s, &off, 4, 0));
    T(splice(f, NULL, e.s, NULL, 4, 0));
    T(splice(e.s, NULL, e.s, NULL, 4, 0));
    T(splice(e.s, NULL, e.p, NULL, 4, 0));
    T(splice(e.s, NULL, -1, NULL, 4, 0));
    T(splice(-1, NULL, e.s, NULL, 4, 0));
    T(splice(pp[0], NULL, e.s, NULL, 0, 0));
    T(splice(pp[0], NULL, e.s, NULL, 4, 0x80));
    T(splice(pp[1], NULL, e.s, NULL, 4, 0));
    T(splice(e.s, NULL, pp[0], NULL, 4, 0));
    T(splice(pp[0], NULL, e.s, NULL, 100, SPLICE_F_MORE));
    T(splice(pp[0], NULL, e.s, NULL, 100, SPLICE_F_NONBLOCK));
    T(send(e.s, "!", 1, 0));
    await_bytes(e.p, 7);
    T(recv(e.p, b, 16, 0));
    say_bytes("arrived", b, 7);
    fcntl(e.s, F_SETFL, O_NONBLOCK);
    T(splice(e.s, NULL, pp[1], NULL, 100, 0));
    fcntl(e.s, F_SETFL, 0);
    feed(e, "abcdefgh");
    T(splice(e.s, NULL, pp[1], NULL, 5, 0));
    T(splice(e.s, NULL, pp[1], NULL, 100, 0));
    T(read(pp[0], b, 16));
    off = 0;
    T(copy_file_range(f, NULL, e.s, NULL, 4, 0));
    T(copy_file_range(e.s, NULL, f, NULL, 4, 0));
    shutdown(e.p, SHUT_WR);
    await(e.s, POLLRDHUP);
    T(splice(e.s, NULL, pp[1], NULL, 5, 0));
    shutdown(e.s, SHUT_WR);
    write(pp[1], "abc", 3);
    count_signals(SIGPIPE);
    T(splice(pp[0], NULL, e.s, NULL, 3, 0));
    say("signals %d", (int)signals);
}

CASE(file_dup)
{
    struct ends e = tcp_ends();
    const int d = dup(e.s);
    char b[8];

    T(dup2(e.s, e.s) == e.s);
    T(dup3(e.s, e.s, 0));
    T(dup3(e.s, 50, 0x10));
    T(dup3(e.s, 50, O_CLOEXEC));
    T(fcntl(50, F_GETFD));
    T(dup2(e.s, -1));
    T(dup2(e.s, 1 << 30));
    T(dup2(-1, 60));
    feed(e, "abcdef");
    T(recv(d, b, 2, 0));
    T(close(e.s));
    T(recv(50, b, 2, 0));
    T(close(50));
    T(recv(d, b, 2, 0));
    T(send(d, "x", 1, 0));
    T(recv(e.p, b, 8, 0));
    T(close(d));
    T(recv(e.p, b, 8, 0));
}

CASE(file_epoll)
{
    struct ends e = tcp_ends();
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET}, out[4];

    T(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, &ev));
    T(epoll_ctl(ep, 99, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    T(epoll_ctl(e.s, EPOLL_CTL_ADD, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    T(epoll_ctl(-1, EPOLL_CTL_ADD, e.s, &ev));
    T(epoll_wait(e.s, out, 1, 0));
    T(epoll_wait(ep, out, 0, 0));
    T(epoll_wait(ep, out, -1, 0));
    T(epoll_wait(ep, out, 1 << 30, 0));
    T(epoll_wait(ep, out, 4, 0));
    feed(e, "abc");
    T(epoll_wait(ep, out, 4, 1000));
    T(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT;
    T(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    T(epoll_wait(ep, out, 4, 0));
    say("%x", out[0].events);
    T(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE;
    T(epoll_ctl(ep, EPOLL_CTL_MOD, e.s, &ev));
    T(epoll_ctl(ep, EPOLL_CTL_DEL, e.s, NULL));
    ev.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    T(epoll_ctl(ep, EPOLL_CTL_ADD, e.s, &ev));
    T(read(ep, out, 4));
    T(write(ep, out, 4));
    T(send(ep, out, 4, 0));
    T(recv(ep, out, 4, 0));
}
