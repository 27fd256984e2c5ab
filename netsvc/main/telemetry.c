/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's own telemetry tools see the service too. The commands run in telemetry's thread, so they read only what is
 * counted atomically or is a plain number that may be a moment old; the list of sockets is stats.sock's.
 */
#include <rte_telemetry.h>
#include <string.h>

#include "main/stats.h"
#include "main/worker.h"

static struct jr_worker *worker;

/* params: the beginning of the names to show. What is 0 is left out: a dictionary holds at most 256 entries. */
static int on_counters(const char *cmd, const char *params, struct rte_tel_data *d)
{
    (void)cmd;
    size_t n = params ? strlen(params) : 0;
    unsigned shown = 0;
    rte_tel_data_start_dict(d);
    for (int i = 0; i < JR_C__COUNT && shown < RTE_TEL_MAX_DICT_ENTRIES; i++) {
        uint64_t v = jr_counter_get(&worker->counters, i);
        if (!v || (n && strncmp(jr_counter_info[i].name, params, n)))
            continue;
        rte_tel_data_add_dict_uint(d, jr_counter_info[i].name, v);
        shown++;
    }
    return 0;
}

static uint64_t peek(const uint64_t *v) { return __atomic_load_n(v, __ATOMIC_RELAXED); }

static int on_ports(const char *cmd, const char *params, struct rte_tel_data *d)
{
    (void)cmd;
    (void)params;
    rte_tel_data_start_dict(d);
    for (unsigned i = 0; i < worker->n_ports; i++) {
        const struct jr_dev *dev = worker->ports[i].port.dev;
        struct rte_tel_data *p = rte_tel_data_alloc();
        if (!p)
            return -1;
        rte_tel_data_start_dict(p);
        rte_tel_data_add_dict_string(p, "kind", jr_port_kind_name(worker->ports[i].cfg->dev.kind));
        rte_tel_data_add_dict_string(p, "interface", worker->ports[i].cfg->dev.interface);
        rte_tel_data_add_dict_uint(p, "mtu", worker->ports[i].ifp->mtu);
        rte_tel_data_add_dict_uint(p, "rx_pkts", peek(&dev->rx_pkts));
        rte_tel_data_add_dict_uint(p, "rx_bytes", peek(&dev->rx_bytes));
        rte_tel_data_add_dict_uint(p, "tx_pkts", peek(&dev->tx_pkts));
        rte_tel_data_add_dict_uint(p, "tx_bytes", peek(&dev->tx_bytes));
        rte_tel_data_add_dict_uint(p, "tx_dropped", peek(&dev->tx_dropped));
        rte_tel_data_add_dict_container(d, worker->ports[i].cfg->dev.name, p, 0);
    }
    return 0;
}

static int on_sockets(const char *cmd, const char *params, struct rte_tel_data *d)
{
    (void)cmd;
    (void)params;
    rte_tel_data_start_dict(d);
    rte_tel_data_add_dict_uint(d, "sockets", jr_ctl_socket_count(worker->ctl));
    rte_tel_data_add_dict_uint(d, "clients", jr_ctl_client_count(worker->ctl));
    return 0;
}

void jr_telemetry_register(struct jr_worker *w)
{
    worker = w;
    rte_telemetry_register_cmd("/joyride/counters", on_counters,
                               "Counters that are not 0. Parameter: the beginning of their names");
    rte_telemetry_register_cmd("/joyride/ports", on_ports, "Ports with their packets and bytes");
    rte_telemetry_register_cmd("/joyride/sockets", on_sockets,
                               "Numbers of sockets and programs; stats.sock lists them");
}
