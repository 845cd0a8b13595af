# shellcheck shell=bash
# What the scripts of this folder share. Sourced, not run; works with macOS's bash 3.2.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# A shell that was open while rustup ran does not have it yet.
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"

# The oldest PostgreSQL that Souk runs on.
oldest_postgres=15

title() {
    if [ -t 1 ]; then printf '\033[1m==> %s\033[0m\n' "$*"; else printf '==> %s\n' "$*"; fi
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the comment at the head of the script: its documentation.
usage() {
    sed -n '2,/^[^#]/ { s/^# \{0,1\}//p; }' "$0"
}

is_root() {
    [ "$(id -u)" = 0 ]
}

# Succeeds if the folder has a PostgreSQL that is new enough.
is_postgres() {
    local program version
    for program in postgres initdb pg_ctl; do
        [ -x "$1/$program" ] || return 1
    done
    version=$("$1/postgres" --version 2>/dev/null) || return 1
    version=${version#*"(PostgreSQL) "}
    [ "${version%%[!0-9]*}" -ge "$oldest_postgres" ] 2>/dev/null
}

# Prints the folder of PostgreSQL's programs; looks where Souk itself looks.
find_postgres() {
    local folder
    while IFS= read -r folder; do
        if [ -n "$folder" ] && is_postgres "$folder"; then
            printf '%s\n' "$folder"
            return
        fi
    done <<FOLDERS
${SOUK_POSTGRES_BIN:-}
$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -r)
$(printf '%s\n' {/opt/homebrew,/usr/local}/opt/postgresql@*/bin | sort -r)
/opt/homebrew/opt/postgresql/bin
/usr/local/opt/postgresql/bin
$(printf '%s\n' "$PATH" | tr : '\n')
$root/.souk/postgres-binaries/bin
FOLDERS
    return 1
}

# The account that runs PostgreSQL in root's stead, since it refuses to be root.
postgres_account() {
    local account
    for account in postgres _postgres nobody; do
        if id "$account" >/dev/null 2>&1; then
            printf '%s\n' "$account"
            return
        fi
    done
    return 1
}

# Where cargo puts what it builds.
target_directory() {
    (cd "$root" && cargo metadata --format-version 1 --no-deps) |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
