#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stands for sudo where diskimage-builder's scripts, which run as root, call it: no sudoers, no terminal, no PAM.
user=root
while [ $# -gt 0 ]; do
    case $1 in
        -u | --user) user=$2 && shift ;;
        -u?*) user=${1#-u} ;;
        --user=*) user=${1#--user=} ;;
        -g | --group) shift ;;
        --) shift && break ;;
        -*) ;;
        *) break ;;
    esac
    shift
done
# What holds paths of this machine means nothing below another root.
if [ "${1-}" = chroot ]; then
    unset TMPDIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR PIP_CERT GIT_SSL_CAINFO AWS_CA_BUNDLE \
        PIP_FIND_LINKS NODE_EXTRA_CA_CERTS HTTPLIB2_CA_CERTS
fi
[ "$user" = root ] || exec runuser -u "$user" -- env "$@"
exec env "$@"
