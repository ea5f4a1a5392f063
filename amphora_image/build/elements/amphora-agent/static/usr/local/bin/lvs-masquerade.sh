#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# lvs-masquerade.sh add|delete ipv4|ipv6 INTERFACE [sriov]: the agent runs this for each interface it brings up or down.
#
# UDP and SCTP that IPVS forwards leave with the amphora's own address; TCP, which HAProxy serves, is not tracked, as
# that would cost time and a table entry for each connection. With SR-IOV rules of the agent need it tracked.
set -u

usage() {
    echo "usage: $(basename "$0") add|delete ipv4|ipv6 INTERFACE [sriov]" >&2
    exit 1
}

[ $# -ge 3 ] || usage
action=$1 family=$2 interface=$3 sriov=${4:-}
case "$family" in
    ipv4) nft_family=ip prefix=ip iptables=iptables ;;
    ipv6) nft_family=ip6 prefix=ip6 iptables=ip6tables ;;
    *) usage ;;
esac
table=octavia-$family

nft_add() {
    for protocol in udp sctp; do
        chain=$prefix-$protocol-masq
        echo "add table $nft_family $table"
        echo "add chain $nft_family $table $chain { type nat hook postrouting priority 100; }"
        echo "add rule $nft_family $table $chain oifname \"$interface\" meta l4proto $protocol masquerade"
    done
    if [ "$sriov" != sriov ]; then
        echo "add chain $nft_family $table prerouting { type filter hook prerouting priority -300; }"
        echo "add rule $nft_family $table prerouting iifname \"$interface\" meta l4proto tcp notrack"
        echo "add chain $nft_family $table output { type filter hook output priority -300; }"
        echo "add rule $nft_family $table output oifname \"$interface\" meta l4proto tcp notrack"
    fi
}

# What is absent, deleted or never added, is no failure.
nft_delete() {
    for chain in "$prefix-udp-masq" "$prefix-sctp-masq" prerouting output; do
        if nft list chain "$nft_family" "$table" "$chain" >/dev/null 2>&1; then
            nft flush chain "$nft_family" "$table" "$chain" && nft delete chain "$nft_family" "$table" "$chain" || return 1
        fi
    done
}

# One rule with -A or -D; what is absent need not be deleted.
rules() {
    status=0
    for protocol in udp sctp; do
        "$iptables" -t nat "$1" POSTROUTING -p "$protocol" -o "$interface" -j MASQUERADE || status=$?
    done
    if [ "$sriov" != sriov ]; then
        "$iptables" -t raw "$1" PREROUTING -p tcp -i "$interface" -j NOTRACK || status=$?
        "$iptables" -t raw "$1" OUTPUT -p tcp -o "$interface" -j NOTRACK || status=$?
    fi
    [ "$1" = -D ] || return "$status"
}

case "$action" in
    add) if command -v nft >/dev/null; then nft_add | nft -f -; else rules -A; fi ;;
    delete) if command -v nft >/dev/null; then nft_delete; else rules -D 2>/dev/null; fi ;;
    *) usage ;;
esac
