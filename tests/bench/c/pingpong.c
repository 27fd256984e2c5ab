/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message there and back, many times. The connecting side measures.
 *
 *     pingpong listen|connect IP PORT BYTES COUNT blocking|spin
 *
 * spin: non-blocking reads without pause. Prints {"count", "p50_us", "p99_us", "mean_us", "cpu"}.
 */
#include "common.h"

#include <fcntl.h>

static bool read_whole(int fd, char *buf, size_t size)
{
    for (size_t got = 0; got < size;) {
        const ssize_t n = read(fd, buf + got, size - got);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            return false;
        else if (errno != EAGAIN)
            die("read");
    }
    return true;
}

static void write_whole(int fd, const char *buf, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        const ssize_t n = write(fd, buf + sent, size - sent);
        if (n > 0)
            sent += (size_t)n;
        else if (errno != EAGAIN)
            die("write");
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(int fd, char *buf, size_t size, size_t count)
{
    const size_t warm_up = count / 10;
    double *times = calloc(count, sizeof *times), sum = 0;
    for (size_t i = 0; i < warm_up + count; i++) {
        const double start = now_s();
        write_whole(fd, buf, size);
        if (!read_whole(fd, buf, size))
            die("the peer closed");
        if (i >= warm_up)
            sum += times[i - warm_up] = (now_s() - start) * 1e6;
    }
    qsort(times, count, sizeof *times, compare);
    printf("{\"count\": %zu, \"p50_us\": %.3f, \"p99_us\": %.3f, \"mean_us\": %.3f, \"cpu\": %.6f}\n", count,
           times[count / 2], times[count * 99 / 100], sum / (double)count, cpu_s());
    free(times);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: pingpong listen|connect IP PORT BYTES COUNT blocking|spin\n");
        return 2;
    }
    const size_t size = strtoul(argv[4], NULL, 10), count = strtoul(argv[5], NULL, 10);
    char *buf = calloc(1, size);
    const int fd = one_connection(argv[1], argv[2], argv[3]), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (strcmp(argv[6], "spin") == 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    if (strcmp(argv[1], "connect") == 0)
        measure(fd, buf, size, count);
    else
        while (read_whole(fd, buf, size))
            write_whole(fd, buf, size);
    return 0;
}
