# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Installs Debian and Ubuntu packages. data/demo.sh, docs/build.sh and tests/run.sh source it.
#
#     need_packages NAME... [-- NAME...]
#
# Installs missing packages, and asks for root only then. Packages after -- are optional: if
# the system does not know one, a note says so. Returns 1, with a message, if a package before
# -- cannot be installed. With RVOS_NO_INSTALL=1 it installs nothing and names the missing
# packages.

packages_missing()
{
    # One query for all packages: one dpkg-query each would be slow.
    # shellcheck disable=SC2016 # the braces are dpkg's
    packages_here=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p')
    for package in "$@"; do
        case "
$packages_here
" in
        *"
$package
"*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

package_known()
{
    # --no-all-versions fails for virtual packages, which have no version of their own.
    apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

# Runs a command as root: directly, or by sudo, which may ask at the terminal.
packages_as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null 2>&1; then
        echo "This needs root, but sudo is not installed. Run as root: $*" >&2
        return 1
    elif sudo -n true 2>/dev/null || (: </dev/tty) 2>/dev/null; then
        sudo "$@"
    else
        echo "This needs root, but there is no terminal to ask for a password. Run: sudo $*" >&2
        return 1
    fi
}

# Shows apt's output only if it fails.
packages_install()
{
    packages_log=$(mktemp) || return 1
    packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get \
        -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -qq -y \
        --no-install-recommends install "$@" </dev/null >"$packages_log" 2>&1
    packages_status=$?
    [ $packages_status = 0 ] || tail -n 15 "$packages_log" >&2
    rm -f "$packages_log"
    return $packages_status
}

need_packages()
{
    packages_must='' packages_wish='' packages_past=''
    for package in "$@"; do
        if [ "$package" = -- ]; then
            packages_past=1
        elif [ "$packages_past" ]; then
            packages_wish="$packages_wish $package"
        else
            packages_must="$packages_must $package"
        fi
    done
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        echo "Not a Debian or Ubuntu system: nothing is installed. Needed, by Debian's names:"
        echo " $packages_must"
        return 0
    fi
    # shellcheck disable=SC2086 # lists of names
    packages_must=$(packages_missing $packages_must)
    # shellcheck disable=SC2086
    packages_wish=$(packages_missing $packages_wish)
    [ "$packages_must$packages_wish" ] || return 0
    if [ "${RVOS_NO_INSTALL:-}" = 1 ]; then
        echo "Missing Debian packages (not installed, as asked): $packages_must$packages_wish"
        return 0
    fi

    # A fresh machine or container has no package lists yet, or not all of them.
    packages_fresh=''
    ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || packages_fresh=1
    for package in $packages_must; do
        package_known "$package" || packages_fresh=1
    done
    if [ "$packages_fresh" ]; then
        echo "Reading the list of Debian packages ..."
        packages_as_root apt-get -qq -o Acquire::Retries=3 update </dev/null || return 1
    fi
    packages_all=$packages_must
    for package in $packages_wish; do
        if package_known "$package"; then
            packages_all="$packages_all $package"
        else
            echo "This system has no package $package: continuing without it."
        fi
    done
    [ "$packages_all" ] || return 0
    echo "Installing Debian packages (a few minutes on a fresh machine): $packages_all"
    # shellcheck disable=SC2086
    packages_install $packages_all && return 0
    [ "$packages_fresh" ] && return 1
    packages_as_root apt-get -qq -o Acquire::Retries=3 update </dev/null || return 1
    # shellcheck disable=SC2086
    packages_install $packages_all
}
