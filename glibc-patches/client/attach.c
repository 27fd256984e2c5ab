/* Attaching to the service: the control socket, the policy page and the
   doorbell.  Lazy, at the first Internet socket of a process; when it does
   not work the kernel is used, and the next try is a second later.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"
#include <sys/un.h>

#define RETRY_NS JR_NSEC_PER_SEC
#ifndef HELLO_MS /* the tests have more patience */
# define HELLO_MS 1000
#endif
#define REPLY_MS 2000

/* What the environment said when the program began: programs clear it, or
   write their title over it, before a later process of theirs attaches.  */
static struct
{
  bool known, off;
  char path[sizeof ((struct sockaddr_un *) 0)->sun_path];
} env;

void
__jr_env_keep (const char *path, const char *use)
{
  size_t n = path != NULL ? strlen (path) : 0;
  env.path[0] = '\0';
  if (n < sizeof env.path && n > 0)
    memcpy (env.path, path, n + 1);
  env.off = use != NULL && strcmp (use, "off") == 0;
  env.known = true;
}

/* The path, empty for the usual one, and whether Joyride is off.  */
const char *
__jr_env_told (bool *off)
{
  *off = env.known && env.off;
  return env.known ? env.path : "";
}

/* Outside libc nobody has called __jr_start: look each time.  */
static void
env_read (void)
{
  if (likely_ (env.known))
    return;
  bool secure = jr_sys_secure ();
  __jr_env_keep (secure ? NULL : jr_sys_getenv ("JOYRIDE_SOCKET"),
		 secure ? NULL : jr_sys_getenv ("JOYRIDE"));
  env.known = false;
}

const char *
__jr_socket_path (void)
{
  env_read ();
  return env.path[0] != '\0' ? env.path : "/run/joyride/netsvc.sock";
}

static bool
switched_off (void)
{
  env_read ();
  return env.off;
}

bool
__jr_wanted (void)
{
  if (ld_relaxed (&__jr.served))
    return true;
  return ld_relaxed (&__jr.retry_ns) != INT64_MAX && !switched_off ();
}

/* One line to syslog, once per process: a service of another version.  */
static void
log_mismatch (void)
{
  static const char line[] = "<28>joyride: the service's version differs from "
    "libc's, using the kernel";
  struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
  if (swap (&__jr.logged, 1))
    return;
  int fd = jr_sys_socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return;
  JR_SYSCALL (sendto, fd, line, sizeof line - 1, MSG_NOSIGNAL, &sun, sizeof sun);
  jr_sys_close (fd);
}

static int
connect_service (void)
{
  struct sockaddr_un sun = { .sun_family = AF_UNIX };
  const char *path = __jr_socket_path ();
  size_t n = strlen (path);
  if (n >= sizeof sun.sun_path)
    return -ENAMETOOLONG;
  memcpy (sun.sun_path, path, n + 1);
  int fd = jr_sys_socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return fd;
  int r = jr_sys_connect (fd, (struct sockaddr *) &sun, sizeof sun);
  if (r < 0)
    {
      jr_sys_close (fd);
      return r;
    }
  return fd;
}

/* ---- one request, one reply ---- */

static int
send_request (const struct jr_ctl_msg *m)
{
  struct jr_abi_ctl_hdr hdr = { JR_ABI_MAGIC, m->op, 0, m->req_len };
  struct iovec iov[2] = { { &hdr, sizeof hdr }, { (void *) m->req, m->req_len } };
  union { struct cmsghdr h; char buf[CMSG_SPACE (sizeof (int))]; } c;
  struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
  if (m->send_fd >= 0)
    {
      memset (&c, 0, sizeof c);
      msg.msg_control = &c;
      msg.msg_controllen = sizeof c.buf;
      c.h.cmsg_level = SOL_SOCKET;
      c.h.cmsg_type = SCM_RIGHTS;
      c.h.cmsg_len = CMSG_LEN (sizeof (int));
      memcpy (CMSG_DATA (&c.h), &m->send_fd, sizeof (int));
    }
  ssize_t r = jr_sys_sendmsg (__jr.ctl_fd, &msg, MSG_NOSIGNAL);
  return r < 0 ? (int) r : 0;
}

static void
take_fds (struct jr_ctl_msg *m, struct msghdr *msg)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR (msg); c != NULL; c = CMSG_NXTHDR (msg, c))
    {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
	continue;
      unsigned int n = (c->cmsg_len - CMSG_LEN (0)) / sizeof (int);
      for (unsigned int i = 0; i < n; i++)
	{
	  int fd;
	  memcpy (&fd, CMSG_DATA (c) + i * sizeof (int), sizeof fd);
	  if (m->nfds < m->max_fds)
	    m->fds[m->nfds++] = fd;
	  else
	    jr_sys_close (fd);
	}
    }
}

static int
receive_reply (struct jr_ctl_msg *m)
{
  struct jr_abi_ctl_hdr hdr;
  struct iovec iov[2] = { { &hdr, sizeof hdr }, { m->rep, m->rep_len } };
  union
  {
    struct cmsghdr h;
    char buf[CMSG_SPACE (JR_HANDLE_BATCH * sizeof (int))];
  } c;
  struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &c,
			.msg_controllen = sizeof c };
  struct pollfd pfd = { .fd = __jr.ctl_fd, .events = POLLIN };
  int ms = m->op == JR_CTL_HELLO ? HELLO_MS : REPLY_MS;
  struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };
  int p = jr_sys_ppoll (&pfd, 1, &ts, NULL);
  if (p <= 0)
    return p < 0 ? p : -ETIMEDOUT;
  ssize_t r = jr_sys_recvmsg (__jr.ctl_fd, &msg, MSG_CMSG_CLOEXEC);
  if (r < 0)
    return r;
  m->nfds = 0;
  if (r == 0)
    return -ECONNRESET;
  m->truncated = msg.msg_flags & MSG_CTRUNC;
  take_fds (m, &msg);
  if (r < (ssize_t) sizeof hdr || hdr.magic != JR_ABI_MAGIC || hdr.op != m->op)
    return -EPROTO;
  /* A reply that is a refusal may be the header alone.  */
  if (hdr.status == 0 && r < (ssize_t) (sizeof hdr + m->rep_len))
    return -EPROTO;
  if (hdr.status > 0 || hdr.status < -4095)
    return -EPROTO;
  m->status = hdr.status;
  return 0;
}

static void
drop_fds (struct jr_ctl_msg *m)
{
  for (unsigned int i = 0; i < m->nfds; i++)
    jr_sys_close (m->fds[i]);
  m->nfds = 0;
}

static int
ask (struct jr_ctl_msg *m)
{
  m->nfds = 0;
  m->truncated = false;
  int r = send_request (m);
  return r < 0 ? r : receive_reply (m);
}

/* The program has used up its fds: what came with the reply needs numbers for
   a moment.  Asking once more does no harm.  */
static int
ask_above_limit (struct jr_ctl_msg *m)
{
  struct jr_limit l;
  int r = 0;
  __jr_limit_raise (&l);
  if (l.raised)
    {
      drop_fds (m);
      r = ask (m);
    }
  __jr_limit_restore (&l);
  return r;
}

int
__jr_ctl_call (struct jr_ctl_msg *m)
{
  if (__jr.ctl_fd < 0)
    return -ENOTCONN;
  int r = ask (m);
  if (r == 0 && unlikely_ (m->truncated)
      && (m->nfds == 0 || m->op == JR_CTL_ADOPT))
    r = ask_above_limit (m);
  if (r < 0)
    {
      /* Whatever comes now would answer another question.  */
      drop_fds (m);
      __jr_detach_locked ();
      return r;
    }
  return m->status;
}

/* ---- attach, detach ---- */

static int
hello (void)
{
  struct jr_abi_ctl_hello_req req = { .version = JR_ABI_VERSION,
				      .checksum = JR_ABI_CHECKSUM };
  struct jr_abi_ctl_hello_rep rep = { 0 };
  int fds[2] = { -1, -1 };
  struct jr_ctl_msg m = { .op = JR_CTL_HELLO, .req = &req, .req_len = sizeof req,
			  .send_fd = -1, .rep = &rep, .rep_len = sizeof rep,
			  .fds = fds, .max_fds = 2 };
  int r = __jr_ctl_call (&m);
  bool match = rep.version == JR_ABI_VERSION && rep.checksum == JR_ABI_CHECKSUM;
  if ((r == 0 && !match) || r == -EPROTO || r == -EPROTONOSUPPORT)
    {
      log_mismatch ();
      r = -EPROTO;
    }
  const struct jr_abi_policy *policy = NULL;
  if (r == 0 && m.nfds == 2)
    policy = jr_sys_map_shared (fds[0], JR_POLICY_SIZE, PROT_READ);
  if (m.nfds > 0)
    jr_sys_close (fds[0]);
  if (policy == NULL || policy->magic != JR_ABI_MAGIC)
    {
      if (policy != NULL)
	jr_sys_munmap ((void *) policy, JR_POLICY_SIZE);
      if (m.nfds > 1)
	jr_sys_close (fds[1]);
      return r < 0 ? r : -EPROTO;
    }
  int bell = __jr_fd_internal (fds[1], JR_USE_BELL, 0, 0);
  if (bell < 0)
    return bell;
  /* An older page stays mapped: somebody may be reading it.  */
  __jr_fd_internal_close (swap (&__jr.bell_fd, bell));
  st_release (&__jr.policy, policy);
  st_relaxed (&__jr.rung, 0);
  return 0;
}

/* Above the program's limit if possible, else at the top of what it has, but
   no higher than the kernel's table would grow for.  */
static int
place_of_internal_fds (void)
{
  struct rlimit rl;
  int top = jr_sys_rlimit_nofile ();
  if (top > 4096)
    top = 4096;
  else if (JR_SYSCALL (prlimit64, 0, RLIMIT_NOFILE, NULL, &rl) == 0
	   && rl.rlim_max > rl.rlim_cur)
    return top;
  return top > 2 * JR_INTERNAL_FDS ? top - JR_INTERNAL_FDS : top / 2;
}

static int
try_attach (void)
{
  int fd = connect_service ();
  if (fd < 0)
    return fd;
  st_relaxed (&__jr.fd_base, place_of_internal_fds ());
  fd = __jr_fd_internal (fd, JR_USE_CTL, 0, 0);
  if (fd < 0)
    return fd;
  st_release (&__jr.ctl_fd, fd);
  __jr.pid = jr_sys_pid ();
  int r = hello ();
  if (r < 0)
    {
      __jr_detach_locked ();
      return r;
    }
  __jr.batch = 8;
  st_relaxed (&__jr.served, 1);
  st_release (&__jr.attached, 1);
  return 0;
}

int
__jr_attach_locked (void)
{
  if (ld_relaxed (&__jr.attached))
    return 0;
  if (switched_off ())
    {
      st_relaxed (&__jr.retry_ns, INT64_MAX);
      return -ECONNREFUSED;
    }
  int r = try_attach ();
  if (r < 0)
    st_relaxed (&__jr.retry_ns,
		jr_sys_now (CLOCK_MONOTONIC_COARSE) + RETRY_NS);
  return r;
}

int
__jr_attach (void)
{
  if (likely_ (ld_acquire (&__jr.attached)))
    return 0;
  int64_t retry = ld_relaxed (&__jr.retry_ns);
  if (retry != 0 && jr_sys_now (CLOCK_MONOTONIC_COARSE) < retry)
    return -ECONNREFUSED;
  uint64_t mask;
  __jr_lock_take (&__jr.lock, &mask);
  retry = ld_relaxed (&__jr.retry_ns);
  int r = -ECONNREFUSED;
  if (retry == 0 || jr_sys_now (CLOCK_MONOTONIC_COARSE) >= retry)
    r = __jr_attach_locked ();
  __jr_lock_drop (&__jr.lock, &mask);
  return r;
}

/* The kernel's own rings know nothing of our sockets: a program gets none
   where it has such sockets or can have them.  One that gets a ring, because
   there is no service, is the kernel's from then on.  */
bool
__jr_refuses_ring (void)
{
  if (__jr_any () || (!__jr_foreign () && __jr_attach () == 0))
    return true;
  st_relaxed (&__jr.retry_ns, INT64_MAX);
  return false;
}

/* The service is gone, or does not understand us: sockets that exist end
   when they notice, new ones are the kernel's.  */
void
__jr_detach_locked (void)
{
  struct jr_seg *pool = swap (&__jr.pool, NULL);
  st_release (&__jr.attached, 0);
  st_relaxed (&__jr.retry_ns, jr_sys_now (CLOCK_MONOTONIC_COARSE) + RETRY_NS);
  __jr_fd_internal_close (swap (&__jr.ctl_fd, -1));
  if (pool != NULL)
    {
      st_relaxed (&pool->shared, 1);
      __jr_pool_drop_locked (pool);
    }
}

void
__jr_service_lost (void)
{
  uint64_t mask;
  if (!ld_relaxed (&__jr.attached))
    return;
  __jr_lock_take (&__jr.lock, &mask);
  struct jr_seg *pool = ld_relaxed (&__jr.pool);
  /* Unless it is a new service already.  */
  if (ld_relaxed (&__jr.attached) && (pool == NULL || jr_gone (pool)))
    __jr_detach_locked ();
  __jr_lock_drop (&__jr.lock, &mask);
}

void
__jr_ctl_hangup (int fd)
{
  uint64_t mask;
  __jr_lock_take (&__jr.lock, &mask);
  if (fd >= 0 && __jr.ctl_fd == fd)
    __jr_detach_locked ();
  __jr_lock_drop (&__jr.lock, &mask);
}
