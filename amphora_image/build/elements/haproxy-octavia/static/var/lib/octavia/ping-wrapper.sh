#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The external check of a PING health monitor: HAProxy passes the member's address in the environment.
case "$HAPROXY_SERVER_ADDR" in
    *:*) family=-6 ;;
    *) family=-4 ;;
esac
exec ping "$family" -q -n -w 1 -c 1 "$HAPROXY_SERVER_ADDR" >/dev/null 2>&1
