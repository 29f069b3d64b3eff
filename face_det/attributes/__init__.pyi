from .head_pose import HeadPoseEstimator as HeadPoseEstimator
from .head_pose import estimate_head_pose as estimate_head_pose
from .liveness import LivenessNetwork as LivenessNetwork
