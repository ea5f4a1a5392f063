#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Octavia's diskimage-create.sh, as a door to `amphora-image build`: the same options, variables and exit codes, so that
# a pipeline which runs that script runs this one unchanged.
#
# Exit codes: 1 usage, help, version, something missing or a build that failed; 2 unknown host; 3 bad value.
set -eu

usage() {
    cat <<EOF

Usage: $(basename "$0") [OPTION]...

    -a  architecture: amd64, armhf, arm64, aarch64 or ppc64le (default: this machine's)
    -b  backend: haproxy, the only one
    -c  folder of the cache (default: ~/.cache/image-create)
    -d  release (default: noble for ubuntu-minimal, trixie for debian, 10-stream for centos-minimal, 10 for rocky)
    -e  mandatory access control that refuses, not only reports
    -f  build in no tmpfs: on the disk, even where there is memory
    -g  git ref of Octavia to take the agent from (default: a pinned version from the package index)
    -h  this text
    -i  base system: ubuntu, ubuntu-minimal, debian, fedora, centos, centos-minimal, rocky or rhel (default: ubuntu-minimal)
    -k  kernel package, for ubuntu-minimal (default: linux-image-virtual)
    -l  log file (default: beside the output)
    -m  CPU pinning
    -n  no SSH server
    -o  output (default: amphora-x64-haproxy.qcow2)
    -p  agent from the distribution's packages
    -r  password of root: for debugging, never for production
    -s  size in GB (default: 2)
    -t  type: qcow2, raw, vhd or tar (default: qcow2)
    -v  version
    -w  folder to work in (default: .)
    -x  trace what the elements do
    -y  FIPS 140 mode

EOF
    exit 1
}

# among VALUE CHOICE...: is the value one of these?
among() {
    local value=$1 one
    shift
    for one in "$@"; do
        [ "$value" != "$one" ] || return 0
    done
    return 1
}

complain() {
    echo "Error: $1"
    exit 3
}

missing() {
    echo "$1"
    exit 1
}

# What no option says may be in variables, which Octavia's script names so, too; 1 means yes.
arch=${AMP_ARCH:-} system=${AMP_BASEOS:-ubuntu-minimal} release=${AMP_DIB_RELEASE:-}
output=${AMP_OUTPUTFILENAME:-} type=${AMP_IMAGETYPE:-qcow2} size=${AMP_IMAGESIZE:-2}
cache=${AMP_CACHEDIR:-${HOME:-}/.cache/image-create} work=${AMP_WORKING_DIR:-} log='' kernel=${AMP_KERNEL:-}
password=${AMP_ROOTPW:-} package=${AMP_PACKAGE_INSTALL:-0} trace=0
enforcing=${AMP_ENABLE_FULL_MAC_SECURITY:-0} pinning=${AMP_ENABLE_CPUPINNING:-0}
nossh=${AMP_DISABLE_SSHD:-0} fips=${AMP_ENABLE_FIPS:-0} disk=${AMP_DISABLE_TMP_FS:-}

while getopts "a:b:c:d:efg:hi:k:l:mno:pt:r:s:vw:xy" option; do
    case $option in
        a) among "$OPTARG" amd64 armhf arm64 aarch64 ppc64le || complain "Unsupported architecture $OPTARG specified"
            arch=$OPTARG ;;
        b) among "$OPTARG" haproxy || complain "Unsupported backend type $OPTARG specified" ;;
        c) cache=$OPTARG ;;
        d) release=$OPTARG ;;
        e) enforcing=1 ;;
        f) disk=1 ;;
        g)
            # A variable that is set counts more than the option, as it does in Octavia's script.
            export DIB_REPOREF_amphora_agent=${DIB_REPOREF_amphora_agent:-$OPTARG}
            export DIB_REPOLOCATION_upper_constraints=${DIB_REPOLOCATION_upper_constraints:-https://opendev.org/openstack/requirements/raw/branch/$OPTARG/upper-constraints.txt}
            echo "Building image with amphora agent from $DIB_REPOREF_amphora_agent," \
                "constraints $DIB_REPOLOCATION_upper_constraints."
            ;;
        i) among "$OPTARG" ubuntu ubuntu-minimal debian fedora centos centos-minimal rocky rhel ||
            complain "Unsupported base OS $OPTARG specified"
            system=$OPTARG ;;
        k) kernel=$OPTARG ;;
        l) log=$OPTARG ;;
        m) pinning=1 ;;
        n) nossh=1 ;;
        o) output=$(readlink -m "$OPTARG")
            [ -d "$(dirname "$output")" ] || complain "Directory $(dirname "$output") does not exist" ;;
        p) package=1 ;;
        r) password=$OPTARG ;;
        s) [[ $OPTARG =~ ^[0-9]+$ ]] || complain "Invalid image size $OPTARG specified"
            size=$OPTARG ;;
        t) among "$OPTARG" qcow2 raw vhd tar || complain "Unsupported image type $OPTARG specified"
            type=$OPTARG ;;
        v) echo "Amphora disk image creation script version: $(amphora-image --version 2>/dev/null || echo unknown)"
            exit 1 ;;
        w) work=$OPTARG ;;
        x) trace=1 ;;
        y) fips=1 ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 0 ] || usage

case $system in
    ubuntu | centos) system=$system-minimal ;;
    rocky-container) system=rocky ;;
esac
if [ "$package" = 1 ]; then
    export DIB_INSTALLTYPE_amphora_agent=package
fi
if { [ "$system" = rhel ] || [ "$system" = fedora ]; } && [ "$size" -lt 3 ]; then
    missing "RHEL/Fedora based amphora requires an image size of at least 3GB"
fi
if [ "$system" = rhel ] && [ -z "${DIB_LOCAL_IMAGE:-}" ]; then
    missing "DIB_LOCAL_IMAGE variable must be set and point to a RHEL base cloud image. Exiting."
fi

if [ -e /etc/os-release ]; then
    host=$(sed -n 's/^NAME=//p' /etc/os-release | tr -d '"')
else
    host=$(grep -m 1 -e CentOS -e 'Red Hat Enterprise Linux' /etc/system-release 2>/dev/null || true)
fi
if [ -z "$host" ]; then
    echo "Unknown Host OS. Impossible to build images."
    exit 2
fi

command -v amphora-image >/dev/null ||
    missing "amphora-image is not installed: pip install 'amphora-image[build]'. Exiting."

if [ -n "$password" ]; then
    case $host in
        *Debian* | *Ubuntu*) ;;
        *) [ "$(getenforce 2>/dev/null || true)" != Enforcing ] ||
            missing "A root password cannot be enabled for images built on this platform while SELinux is enabled." ;;
    esac
    echo "Warning: Using a root password in the image, NOT FOR PRODUCTION USAGE."
    # Not DIB_PASSWORD: diskimage-builder writes those variables into the image.
    export AMPHORA_ROOT_PASSWORD=$password
fi

# Elements of Octavia's that ours have no namesake of, then one's own.
path=${OCTAVIA_REPO_PATH:+$OCTAVIA_REPO_PATH/elements}
path=${path:+$path${DIB_LOCAL_ELEMENTS_PATH:+:}}${DIB_LOCAL_ELEMENTS_PATH:-}
if [ -n "$path" ]; then
    export ELEMENTS_PATH=$path${ELEMENTS_PATH:+:$ELEMENTS_PATH}
fi

export DIB_OCTAVIA_AMP_USE_NFTABLES=${DIB_OCTAVIA_AMP_USE_NFTABLES:-True}
export DIB_CLOUD_INIT_DATASOURCES=${CLOUD_INIT_DATASOURCES:-ConfigDrive}
export DIB_GRUB_TIMEOUT=${DIB_GRUB_TIMEOUT:-0}
if [ "$system" = ubuntu-minimal ]; then
    export DIB_UBUNTU_KERNEL=${kernel:-linux-image-virtual}
fi

# The type is the end of the name, as disk-image-create has it.
output=${output:-$PWD/amphora-x64-haproxy.qcow2}
output=${output%".$type"}.$type

# A list of elements replaces those that options stand for, too, as in Octavia's script.
if [ -n "${DIB_ELEMENTS:-}" ]; then
    enforcing=0 pinning=0 fips=0 password=''
fi
options=(--os "$system" --type "$type" --size "${size}G" --output "$output" --overwrite --cache-dir "$cache")
unset DIB_RELEASE # only -d counts
[ -z "$release" ] || options+=(--release "$release")
[ -z "$arch" ] || options+=(--arch "${arch/aarch64/arm64}")
[ -z "$log" ] || options+=(--log-file "$log")
[ "$enforcing" != 1 ] || options+=(--enforcing)
[ "$pinning" != 1 ] || options+=(--cpu-pinning)
[ "$fips" != 1 ] || options+=(--fips)
[ -z "$password" ] || options+=(--root-password)
[ "$trace" != 1 ] || options+=(--trace)
[ -z "$disk" ] || options+=(--no-tmpfs) # Octavia's script has the option itself in the variable
if [ "$nossh" = 1 ]; then
    export DIB_OCTAVIA_AMP_USE_SSH=${DIB_OCTAVIA_AMP_USE_SSH:-False}
    [ -n "${DIB_ELEMENTS:-}" ] || options+=(--no-ssh)
fi
for element in ${DIB_LOCAL_ELEMENTS:-}; do
    options+=(--element "$element")
done
if [ -n "${DIB_ELEMENTS:-}" ]; then
    options+=(--only-elements "$DIB_ELEMENTS")
fi
work=${work:-$PWD}
mkdir -p "$work" "$cache"
options+=(--work-dir "$work")

# Octavia's script leaves it to diskimage-builder to call sudo; here all of the build takes the rights of root.
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || missing "Building takes the rights of root: sudo is not installed. Exiting."
    as_root=(sudo --preserve-env env "PATH=$PATH")
fi
built=1
"${as_root[@]}" "$(command -v amphora-image)" build "${options[@]}" || built=0
if [ ${#as_root[@]} -ne 0 ]; then # the log of a build that failed, too
    for file in "$output" "$output".* "${log:-$output.log}"; do
        [ ! -f "$file" ] || sudo chown "$(id -u):$(id -g)" "$file"
    done
fi
[ "$built" = 1 ] || exit 1

agent=${DIB_REPOREF_amphora_agent:-${DIB_INSTALLTYPE_amphora_agent:-pinned}}
echo "Successfully built the amphora using the $agent amphora-agent."
echo "Amphora image size: $(stat -c "%n %s" "$output")"
