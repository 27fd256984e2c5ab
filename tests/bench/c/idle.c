/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds many connections that do nothing, so that their memory can be measured from outside.
 *
 *     idle listen IP PORT            accepts and holds
 *     idle connect IP PORT COUNT     opens, prints "holding", waits for a byte on standard input
 */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "listen") == 0) {
        const int listener = listen_on(argv[2], argv[3]);
        for (;;)
            accept_on(listener);
    }
    if (argc != 5) {
        fprintf(stderr, "usage: idle listen IP PORT | idle connect IP PORT COUNT\n");
        return 2;
    }
    char line[8];
    printf("ready\n");
    fflush(stdout);
    if (read(STDIN_FILENO, line, 1) != 1)
        return 1;
    for (long i = 0; i < atol(argv[4]); i++)
        connect_to(argv[2], argv[3]);
    printf("holding\n");
    fflush(stdout);
    return read(STDIN_FILENO, line, 1) < 0;
}
