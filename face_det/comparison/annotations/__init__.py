"""Where people have marked faces in pictures: COCO, Pascal VOC and WIDER FACE."""
