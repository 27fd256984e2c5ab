/* SPDX-License-Identifier: BSD-3-Clause */
/* What the cases say: every line in one write, so that the lines of several processes never mix. */
#include "diff.h"

#define LINE_BYTES 2048

static void write_line(char *line, size_t n)
{
    line[n++] = '\n';
    /* not write(2), which a case may be about */
    if (syscall(SYS_write, STDOUT_FILENO, line, n) < 0)
        _exit(99);
}

void say(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    const int err = errno;

    va_start(args, format);
    const int n = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    write_line(line, n < LINE_BYTES - 2 ? (size_t)n : LINE_BYTES - 2);
    errno = err;
}

const char *errno_text(int err)
{
    const char *name = strerrorname_np(err);

    return name && err ? name : "no errno";
}

long say_result(const char *what, long result)
{
    if (result < 0)
        say("%s = %ld %s", what, result, errno_text(errno));
    else
        say("%s = %ld", what, result);
    return result;
}

void say_bytes(const char *what, const void *bytes, size_t n)
{
    char text[LINE_BYTES];
    const unsigned char *b = bytes;
    size_t len = 0;

    text[0] = 0;
    for (size_t i = 0; i < n && len < sizeof text - 8; i++)
        len += (size_t)snprintf(text + len, 8, b[i] > ' ' && b[i] < 127 ? "%c" : "<%02x>", b[i]);
    say("%s: %s", what, text);
}

void say_addr(const char *what, const void *sa, socklen_t len)
{
    struct sockaddr_storage ss = {0};
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (void *)&ss;
    const struct sockaddr_in6 *in6 = (void *)&ss;

    memcpy(&ss, sa, len < sizeof ss ? len : sizeof ss);
    const bool v6 = ss.ss_family == AF_INET6;
    if (v6)
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
    else
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    const bool port = v6 ? in6->sin6_port : in->sin_port;
    say("%s: family %d length %u %s %s", what, ss.ss_family, len, text, port ? "with a port" : "no port");
}

const char *bits_text(uint32_t bits)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {EPOLLIN, "IN"},         {EPOLLPRI, "PRI"},         {EPOLLOUT, "OUT"},       {EPOLLERR, "ERR"},
        {EPOLLHUP, "HUP"},       {POLLNVAL, "NVAL"},        {EPOLLRDNORM, "RDNORM"}, {EPOLLRDBAND, "RDBAND"},
        {EPOLLWRNORM, "WRNORM"}, {EPOLLWRBAND, "WRBAND"},   {EPOLLMSG, "MSG"},       {EPOLLRDHUP, "RDHUP"},
        {EPOLLET, "ET"},         {EPOLLONESHOT, "ONESHOT"},
    };
    static _Thread_local char buf[8][160];
    static _Thread_local unsigned at;
    char *out = buf[at++ % 8], *p = out;

    *p = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bits & names[i].bit)
            p += sprintf(p, "%s%s", p == out ? "" : "|", names[i].name);
        bits &= ~names[i].bit;
    }
    if (bits)
        p += sprintf(p, "%s%#x", p == out ? "" : "|", bits);
    return p == out ? "0" : out;
}

void could_not(const char *what, int line)
{
    say("COULD NOT, line %d: %s (%s)", line, what, errno_text(errno));
    _exit(98);
}
