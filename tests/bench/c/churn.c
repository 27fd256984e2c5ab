/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Short connections one after another: connect, one byte from the server, close. With several at a time by THREADS.
 *
 *     churn listen IP PORT
 *     churn connect IP PORT COUNT THREADS
 *
 * The connecting side prints {"count", "seconds"}.
 */
#include "common.h"

#include <pthread.h>

struct job {
    const char *ip, *port;
    long count;
};

static void *client(void *arg)
{
    const struct job *job = arg;
    char byte;
    for (long i = 0; i < job->count; i++) {
        const int fd = connect_to(job->ip, job->port);
        if (read(fd, &byte, 1) != 1)
            die("read");
        close(fd);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "listen") == 0) {
        const int listener = listen_on(argv[2], argv[3]);
        for (;;) {
            const int fd = accept_on(listener);
            if (write(fd, "x", 1) != 1)
                die("write");
            close(fd);
        }
    }
    if (argc != 6) {
        fprintf(stderr, "usage: churn listen IP PORT | churn connect IP PORT COUNT THREADS\n");
        return 2;
    }
    const long threads = atol(argv[5]);
    struct job job = {argv[2], argv[3], atol(argv[4]) / threads};
    pthread_t ids[64];
    const double start = now_s();
    for (long i = 0; i < threads && i < 64; i++)
        if (pthread_create(&ids[i], NULL, client, &job))
            die("pthread_create");
    for (long i = 0; i < threads && i < 64; i++)
        pthread_join(ids[i], NULL);
    printf("{\"count\": %ld, \"seconds\": %.6f}\n", job.count * threads, now_s() - start);
    return 0;
}
