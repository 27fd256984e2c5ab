/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagram cases for both families: addresses as values, and two sockets that know each other. */
#pragma once

#include "diff.h"

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage ss;
    };
    socklen_t len;
};

struct addr own(int family, int port);   /* of the side under test */
struct addr other(int family, int port); /* of the peer */
struct addr wild(int family, int port);
struct addr text_addr(const char *ip, int port);
struct addr named(int fd); /* getsockname */
struct addr unspec(void);
int port_in(struct addr a);

int dgram(int family);
int bind_to(int fd, struct addr a);
int connect_to(int fd, struct addr a);
ssize_t send_text(int fd, const char *text, struct addr to);
/* A socket under test on its own address, carried; the peer's; the two connected. */
int bound_dgram(int family);
int peer_dgram(int family);
struct ends linked(int family);
void say_name(int fd);
void say_peer(int fd);
/* Waits for a datagram and takes it: "what: text", or the error. */
void take(int fd, const char *what);
/* The same when there should be none. */
void none(int fd, const char *what);
/* Waits until all that the peer sent so far is here. */
void settled(int family);
int level_of(int family); /* IPPROTO_IP, IPPROTO_IPV6 */
