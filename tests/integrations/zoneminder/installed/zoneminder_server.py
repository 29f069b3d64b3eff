"""Debian's ZoneMinder in a container: its web server, its database, and its recorder, started when asked."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path

import debian
import PIL.Image
import zoneminder_image
from running import PATIENCE_S, eventually

EVENTS = "/var/cache/zoneminder/events"
WWW_DATA = 33
USER, PASSWORD = "faces", "open sesame"
DEEP, MEDIUM, SHALLOW, VIDEO, LIVE = range(1, 6)
"""The cameras, by how their events are stored; one is recorded while a test looks."""

START = """
mkdir -p /run/lock /run/apache2 /run/mysqld
chown mysql: /run/mysqld
install -d -o www-data -g www-data /run/zm /tmp/zm /var/cache/zoneminder/temp
mariadbd --user=mysql --skip-networking --innodb-flush-log-at-trx-commit=0 2> /shared/mariadb.log &
until mariadb-admin ping --silent; do sleep 0.1; done
echo "Listen 127.0.0.1:$1" > /etc/apache2/ports.conf
sed -i "s/<VirtualHost .*>/<VirtualHost 127.0.0.1:$1>/" /etc/apache2/sites-available/zoneminder.conf
echo ServerName localhost >> /etc/apache2/apache2.conf
APACHE_STARTED_BY_SYSTEMD=true apache2ctl start
touch /shared/ready
wait
"""

CLIP = """
ffmpeg -loglevel error -y -framerate 5 -i /shared/frames/%d.jpg -c:v libx264 -pix_fmt yuv420p -g 5 \
  /shared/clip.mp4
"""


class ZoneMinder:
    """The server; `events` is its folder of events on this machine. What is done to it is gone with it."""

    def __init__(self, folder: Path):
        self.folder, self.events = folder, folder / "events"
        folder.chmod(0o755)
        self.events.mkdir()
        os.chown(self.events, WWW_DATA, WWW_DATA)
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        (folder / "start.sh").write_text(START)
        binds = (f"--bind={folder}:/shared", f"--bind={self.events}:{EVENTS}")
        words = ("--as-pid2", "--volatile=overlay", "--resolv-conf=off", "--link-journal=no", *binds)
        command = ("sh", "-e", "/shared/start.sh", str(self.port))
        self._console = (folder / "console").open("wb")
        self._process = subprocess.Popen(
            debian.nspawn(zoneminder_image.path(), *words, *command),
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=self._console,
        )
        eventually(self._is_ready, "ZoneMinder")
        self.add_user(USER, PASSWORD)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/zm"

    def _is_ready(self):
        assert self._process.poll() is None, (self.folder / "console").read_text(errors="replace")
        return (self.folder / "ready").exists()

    def command(self, *argv):
        """What to run here so that it is run as root in the container."""
        pid = self._process.pid
        leader = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--pid", "--", *argv]

    def run(self, *argv, text=None):
        """What a command prints that is run as root in the container."""
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, input=text, check=False)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def sql(self, statement):
        """The rows that the database answers, as lists of texts."""
        told = self.run("mariadb", "--batch", "--skip-column-names", "zm", text=statement)
        return [line.split("\t") for line in told.splitlines()]

    def add_user(self, name, password, **rights):
        """Somebody who may view and edit events, and use the API, or what `rights` says."""
        hashed = self.run("php", "-r", f"echo password_hash({password!r}, PASSWORD_BCRYPT);")
        columns = {"Events": "Edit", "Monitors": "View", "APIEnabled": 1, "MonitorIds": "", **rights}
        values = "".join(f", {column} = '{value}'" for column, value in columns.items())
        self.sql(f"INSERT INTO Users SET Username = '{name}', Password = '{hashed}'{values}")

    def make_clip(self, photos):
        """Make the film that every camera shows, of these photos, a fifth of a second each."""
        frames = self.folder / "frames"
        frames.mkdir()
        for number, photo in enumerate(photos):
            with PIL.Image.open(photo) as picture:
                picture.convert("RGB").resize((480, 480)).save(frames / f"{number}.jpg", quality=95)
        self.run("sh", "-ec", CLIP)

    def add_monitor(self, mid, name, scheme="Medium", **columns):
        """A camera whose pictures are recorded, each as a JPEG unless `columns` says otherwise."""
        about = {"SaveJPEGs": 1, "VideoWriter": 0, **columns}
        values = "".join(f", {column} = '{value}'" for column, value in about.items())
        self.sql(
            f"""
            REPLACE INTO Storage SET Id = {mid}, Path = '{EVENTS}', Name = '{name}', Scheme = '{scheme}';
            INSERT INTO Monitors SET Id = {mid}, Name = '{name}', Type = 'Ffmpeg', `Function` = 'Record',
                Path = '/shared/clip.mp4', Method = 'rtpRtsp', Width = 480, Height = 480, Colours = 4,
                MaxFPS = 5, SectionLength = 600, MinSectionLength = 1, ImageBufferCount = 10,
                StorageId = {mid}, LabelFormat = '', PreEventCount = 0{values};
            INSERT INTO Monitor_Status SET MonitorId = {mid};
            INSERT INTO Zones SET MonitorId = {mid}, Name = 'All', Type = 'Active', Units = 'Percent',
                NumCoords = 4, Coords = '0,0 99,0 99,99 0,99', Area = 10000;
            """
        )

    @contextlib.contextmanager
    def recording(self, *mids):
        """ZoneMinder's recorder of each camera, as it starts and stops them itself."""
        with contextlib.ExitStack() as stack:
            for mid in mids:
                log = stack.enter_context((self.folder / f"zmc-{mid}").open("wb"))
                argv = self.command("runuser", "-u", "www-data", "--", "/usr/bin/zmc", "-m", str(mid))
                recorder = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                stack.callback(recorder.wait, PATIENCE_S)
                stack.callback(self._stop_recorder, mid)
            yield

    def _stop_recorder(self, mid):
        self.run("pkill", "--full", f"^/usr/bin/zmc -m {mid}$")

    def ended_event(self, mid):
        """The number of the first event of a camera that has ended; None if there is none yet."""
        found = self.sql(f"SELECT Id FROM Events WHERE MonitorId = {mid} AND EndDateTime IS NOT NULL LIMIT 1")
        return int(found[0][0]) if found else None

    def begun_event(self, mid):
        """The number of the newest event of a camera; None if there is none yet."""
        found = self.sql(f"SELECT MAX(Id) FROM Events WHERE MonitorId = {mid}")
        return None if found[0][0] == "NULL" else int(found[0][0])

    def notes(self, eid):
        return self.sql(f"SELECT Notes FROM Events WHERE Id = {eid}")[0][0]

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._console.close()
