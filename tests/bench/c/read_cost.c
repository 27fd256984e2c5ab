/* SPDX-License-Identifier: BSD-3-Clause */
/* What the patched libc adds to read() of an ordinary file, in nanoseconds.
 *
 *     read_cost LOADER [PAIRS]      LOADER is /opt/joyride/ld.so
 *
 * Runs itself in turns on the stock libc and by LOADER, each time a million reads at the end of a file, and prints
 * the median of the differences within the pairs. Run it on the stock libc. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 2500, RUNS = 400, MAX_PAIRS = 1000 };

static void die(const char *what)
{
    fprintf(stderr, "read_cost: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Nanoseconds per read(), best of many short runs: the rest is other work on the machine. */
static double measure(void)
{
    char byte;
    int fd = open("/etc/hostname", O_RDONLY);
    if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
        die("/etc/hostname");
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < CALLS; i++)
            if (read(fd, &byte, 1) != 0)
                die("read");
        clock_gettime(CLOCK_MONOTONIC, &b);
        double ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / CALLS;
        if (ns < best)
            best = ns;
    }
    close(fd);
    return best;
}

/* Runs this program once more, by `loader` unless that is NULL; what it measured. */
static double measure_in_child(const char *loader)
{
    int ends[2];
    if (pipe(ends) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        dup2(ends[1], 1);
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n < 0)
            die("/proc/self/exe");
        self[n] = 0;
        if (loader)
            execl(loader, loader, self, "--once", (char *)NULL);
        else
            execl(self, self, "--once", (char *)NULL);
        die(loader ? loader : self);
    }
    close(ends[1]);
    double value = 0;
    FILE *out = fdopen(ends[0], "r");
    if (!out || fscanf(out, "%lf", &value) != 1)
        die("no result from the child");
    fclose(out);
    waitpid(pid, NULL, 0);
    return value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--once") == 0) {
        printf("%.3f\n", measure());
        return 0;
    }
    int pairs = argc > 2 ? atoi(argv[2]) : 31;
    if (argc < 2 || pairs < 1 || pairs > MAX_PAIRS) {
        fprintf(stderr, "usage: read_cost LOADER [PAIRS]\n");
        return 2;
    }
    static double stock[MAX_PAIRS], ours[MAX_PAIRS], added[MAX_PAIRS];
    for (int i = 0; i < pairs; i++) {
        /* The second of a pair may find a warmer machine: take turns in that too. */
        if (i % 2)
            ours[i] = measure_in_child(argv[1]);
        stock[i] = measure_in_child(NULL);
        if (i % 2 == 0)
            ours[i] = measure_in_child(argv[1]);
        added[i] = ours[i] - stock[i];
    }
    qsort(stock, pairs, sizeof(*stock), compare);
    qsort(ours, pairs, sizeof(*ours), compare);
    qsort(added, pairs, sizeof(*added), compare);
    printf("read() at the end of a file, ns: stock %.1f, patched %.1f; added in pairs: median %+.2f, quartiles %+.2f "
           "%+.2f\n",
           stock[pairs / 2], ours[pairs / 2], added[pairs / 2], added[pairs / 4], added[pairs * 3 / 4]);
    return 0;
}
