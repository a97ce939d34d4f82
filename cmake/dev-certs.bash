#!/usr/bin/env bash
# Certificates to try TLS with, by the openssl program: `./dev certs`, and the tests. Keys for
# nothing else: whoever has the folder is the CA.
# Usage: dev-certs.bash FOLDER
#   ca.pem                     signs all of these but the last
#   manager.pem manager.key    for localhost, 127.0.0.1, and "manager"
#   agent.pem agent.key        for those who connect
#   expired.pem                certificate and key in one, its time was over yesterday
#   elsewhere.pem .key         a manager's, for a host that nobody is
#   stranger-ca.pem, stranger.pem .key    another CA, and who it signed

# new_key FILE: only its owner may read it, or RedPepper refuses it.
new_key() { (umask 077 && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"); }

# new_ca NAME CN
new_ca() {
    new_key "$1.key" &&
        openssl req -x509 -new -key "$1.key" -sha256 -days 3650 -subj "/CN=$2" -out "$1.pem" \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# new_cert CA NAME CN DAYS SUBJECT-ALTERNATIVE-NAMES
new_cert() {
    local valid=(-days "$4")
    # One that is over: later versions refuse a negative time, and can be told the dates instead.
    if [ "$4" -lt 0 ] && openssl x509 -help 2>&1 | grep -q -- -not_after; then
        valid=(-not_before 20200101000000Z -not_after 20200102000000Z)
    fi
    new_key "$2.key" &&
        openssl req -new -key "$2.key" -subj "/CN=$3" -out "$2.csr" &&
        openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -sha256 "${valid[@]}" \
            -set_serial "0x$(openssl rand -hex 8)" -out "$2.pem" -extfile <(
                printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n'
                printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "$5"
            ) &&
        rm "$2.csr"
}

# make_certs FOLDER
make_certs() {
    mkdir -p "$1" && (
        cd "$1" &&
            new_ca ca "quintain test CA" &&
            new_cert ca manager manager 3650 DNS:localhost,DNS:manager,IP:127.0.0.1 &&
            new_cert ca agent agent 3650 DNS:agent &&
            new_cert ca expired agent -1 DNS:agent &&
            cat expired.key >>expired.pem && chmod 600 expired.pem && rm expired.key &&
            new_cert ca elsewhere elsewhere 3650 DNS:elsewhere.example &&
            new_ca stranger-ca "another CA" &&
            new_cert stranger-ca stranger stranger 3650 DNS:localhost,IP:127.0.0.1
    )
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -uo pipefail
    if ! said=$(make_certs "${1:?usage: dev-certs.bash FOLDER}" 2>&1); then
        printf '%s\n' "$said" >&2
        exit 1
    fi
fi
