"""A minimal Debian with its ZoneMinder, MariaDB and Apache, set up as its README.Debian says."""

from __future__ import annotations

from pathlib import Path

import debian

SECRET = "a secret of the tests"
INSTALL = f"""
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/unsafe-io
apt-get update -qq
apt-get install -y -qq --no-install-recommends zoneminder mariadb-server apache2 libapache2-mod-php ffmpeg
apt-get clean
chgrp www-data /etc/zm/zm.conf
echo ZM_DB_HOST=localhost:/run/mysqld/mysqld.sock > /etc/zm/conf.d/socket.conf
mkdir -p /run/lock /run/mysqld
chown mysql: /run/mysqld
mariadbd --user=mysql --skip-networking &
until mariadb-admin ping --silent; do sleep 0.1; done
mariadb < /usr/share/zoneminder/db/zm_create.sql
mariadb -e "CREATE USER zmuser@localhost IDENTIFIED BY 'zmpass'; GRANT ALL ON zm.* TO zmuser@localhost"
setting() {{ mariadb zm -e "UPDATE Config SET Value = '$2' WHERE Name = '$1'"; }}
setting ZM_OPT_USE_AUTH 1
setting ZM_AUTH_HASH_SECRET '{SECRET}'
mariadb-admin shutdown
wait
cp /usr/share/doc/zoneminder/examples/apache.conf /etc/apache2/sites-available/zoneminder.conf
a2enmod -q cgi rewrite
a2dissite -q 000-default
a2ensite -q zoneminder
"""


def path() -> Path:
    """Where the image is, or will be."""
    return debian.named("zoneminder", debian.PACKAGES + INSTALL)


if __name__ == "__main__":
    reason = debian.missing()
    if reason is not None:
        print(f"test-zoneminder is skipped: {reason}")
    else:
        debian.make(path(), INSTALL)
