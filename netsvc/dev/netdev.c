/* SPDX-License-Identifier: BSD-3-Clause */
/* Interface facts by ioctl: /sys may belong to another network namespace than the process. */
#include "dev/netdev.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(int fd, const char *name, unsigned long request, struct ifreq *ifr)
{
    size_t n = strnlen(name, sizeof ifr->ifr_name);
    if (n >= sizeof ifr->ifr_name)
        return -ENODEV;
    memcpy(ifr->ifr_name, name, n + 1);
    return ioctl(fd, request, ifr) ? -errno : 0;
}

static void ask_queues(int fd, const char *name, struct jr_netdev *out)
{
    struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq ifr = {.ifr_data = (char *)&ch};
    out->rx_queues = out->pairs = 1;
    if (ask(fd, name, SIOCETHTOOL, &ifr))
        return;
    if (ch.rx_count + ch.combined_count)
        out->rx_queues = ch.rx_count + ch.combined_count;
    if (ch.combined_count)
        out->pairs = ch.combined_count;
}

int jr_netdev_query(const char *name, struct jr_netdev *out)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ifreq ifr = {0};
    int rc = ask(fd, name, SIOCGIFINDEX, &ifr);
    out->ifindex = ifr.ifr_ifindex;
    if (!rc) {
        rc = ask(fd, name, SIOCGIFMTU, &ifr);
        out->mtu = (uint32_t)ifr.ifr_mtu;
    }
    if (!rc) {
        rc = ask(fd, name, SIOCGIFHWADDR, &ifr);
        memcpy(out->mac.b, ifr.ifr_hwaddr.sa_data, sizeof out->mac.b);
    }
    if (!rc)
        ask_queues(fd, name, out);
    close(fd);
    return rc;
}

int jr_netdev_up(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct ifreq ifr = {0};
    int rc = ask(fd, name, SIOCGIFFLAGS, &ifr);
    if (!rc && !(ifr.ifr_flags & IFF_UP)) {
        ifr.ifr_flags |= IFF_UP;
        rc = ask(fd, name, SIOCSIFFLAGS, &ifr);
    }
    close(fd);
    return rc;
}
