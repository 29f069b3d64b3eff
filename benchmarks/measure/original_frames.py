"""The original's way of saving people out of alarm frames: one object after the other, without a pool.

    python original_frames.py BUCKET OUTPUT ENDPOINT

One thing is done right here, because the work must be the same: each person is cut from the whole picture.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import boto3
from PIL import Image


def main(name: str, output: str, endpoint: str) -> None:
    bucket = boto3.resource("s3", endpoint_url=endpoint).Bucket(name)
    pictures = 0
    for found in bucket.objects.all():
        answer = found.get()
        picture = Image.open(io.BytesIO(answer["Body"].read()))
        for number, label in enumerate(json.loads(answer["Metadata"]["labels"])):
            if label["Name"] != "person" or label["Face"] is None:
                continue
            box = label["Box"]
            part = picture.crop([int(box[edge]) for edge in ("xmin", "ymin", "xmax", "ymax")])
            folder = Path(output, label["Face"])
            folder.mkdir(parents=True, exist_ok=True)
            part.save(folder / f"{number}-{found.key.replace('/', '-')}", quality=95, subsampling=0)
            pictures += 1
    print(json.dumps({"pictures": pictures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
