"""How fast networks are on a device: measured, or predicted from a calibration of the device."""

from naopt.devices.calibration import calibrate, draw_sample
from naopt.devices.device_file import Calibration, DeviceModel, read_device
from naopt.devices.predictor import Predictor
from naopt.devices.setting import Setting

__all__ = ["Calibration", "DeviceModel", "Predictor", "Setting", "calibrate", "draw_sample", "read_device"]
