/* What libc notes about a socket where every process that has it can see: the
   bits of jr_abi_slot.app_flags.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_APP_FLAGS_H
#define _JR_APP_FLAGS_H 1

enum jr_app_flag
{
  JR_AF_CONNECT_SEEN = 1 << 0,	/* connect() has told of success */
  JR_AF_CONNECT_ASYNC = 1 << 1,	/* and began without waiting */
  JR_AF_GONE_SEEN = 1 << 2,	/* the dead service was reported once */
  JR_AF_WAS_CONNECTED = 1 << 3,
  JR_AF_PKTINFO = 1 << 4,	/* what recvmsg is to tell of */
  JR_AF_PKTINFO6 = 1 << 5,
  JR_AF_TTL = 1 << 6,
  JR_AF_TTL6 = 1 << 7,
  JR_AF_TOS = 1 << 8,
  JR_AF_TOS6 = 1 << 9,
  JR_AF_TIMESTAMP = 1 << 10,
  JR_AF_TIMESTAMPNS = 1 << 11,
  JR_AF_COMMITTED = 1 << 12,	/* the service has it for good */
  JR_AF_SHADOWED = 1 << 13,	/* some holder made the shadow */
  JR_AF_REUSEADDR = 1 << 14,
  JR_AF_REUSEPORT = 1 << 15,
  JR_AF_ORIGDST = 1 << 16,
  JR_AF_RXQ_OVFL = 1 << 17,
  JR_AF_RECVERR = 1 << 18,
  JR_AF_BROADCAST = 1 << 19,
  JR_AF_DF = 1 << 20,		/* IP_PMTUDISC_DO or _PROBE */
  JR_AF_OOBINLINE = 1 << 21,
  JR_AF_LINGER = 1 << 22,	/* close waits */
  JR_AF_V6ONLY = 1 << 23,
  JR_AF_OFFERED = 1 << 24,	/* the service was given the shadow */
  JR_AF_INQ = 1 << 25,		/* recvmsg tells what is left */
  JR_AF_ORIGDST6 = 1 << 26,
  JR_AF_STAMPING = 1 << 27,	/* SOF_TIMESTAMPING_SOFTWARE */
  JR_AF_STAMPING_RX = 1 << 28,	/* SOF_TIMESTAMPING_RX_SOFTWARE */
  JR_AF_ZEROCOPY = 1 << 29,
  JR_AF_TSNEW = 1 << 30,	/* SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW */
  JR_AF_SHADOW_TWO = 1u << 31,	/* a second holder was about to make it, too */
  /* Options that an accepted socket has from its listener.  */
  JR_AF_INHERITED = JR_AF_PKTINFO | JR_AF_PKTINFO6 | JR_AF_TTL | JR_AF_TTL6
		    | JR_AF_TOS | JR_AF_TOS6 | JR_AF_TIMESTAMP
		    | JR_AF_TIMESTAMPNS | JR_AF_REUSEADDR | JR_AF_REUSEPORT
		    | JR_AF_ORIGDST | JR_AF_ORIGDST6 | JR_AF_RXQ_OVFL | JR_AF_RECVERR
		    | JR_AF_BROADCAST | JR_AF_DF | JR_AF_OOBINLINE | JR_AF_LINGER
		    | JR_AF_V6ONLY
		    | JR_AF_INQ | JR_AF_STAMPING | JR_AF_STAMPING_RX | JR_AF_ZEROCOPY
		    | JR_AF_TSNEW,
  /* recvmsg tells when data came.  */
  JR_AF_STAMPED = JR_AF_TIMESTAMP | JR_AF_TIMESTAMPNS | JR_AF_STAMPING_RX
};

#endif
