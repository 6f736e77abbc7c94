"""Every semantic error and warning: one function each, span first; a module for each subject."""

from dotnn.model.messages import calls as calls
from dotnn.model.messages import constants as constants
from dotnn.model.messages import data as data
from dotnn.model.messages import definitions as definitions
from dotnn.model.messages import formulas as formulas
from dotnn.model.messages import names as names
from dotnn.model.messages import procedures as procedures
from dotnn.model.messages import sections as sections
from dotnn.model.messages import shapes as shapes
from dotnn.model.messages import timesteps as timesteps
from dotnn.model.messages import training as training
from dotnn.model.messages import turns as turns
from dotnn.model.messages import uses as uses
from dotnn.model.messages import warnings as warnings
from dotnn.model.messages import weights as weights
