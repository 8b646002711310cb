# gdcmanon's Basic Profile; it encrypts the originals into the file, for which it needs a certificate.
set -e
certificate="$2.pem"
test -f "$certificate" || openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=bench -keyout "$2.key" -out "$certificate"
gdcmanon --de-identify --continue -c "$certificate" -i "$1" -o "$2"
