from dotnn.api import CompileError as CompileError
from dotnn.api import check as check
from dotnn.api import compile as compile
from dotnn.api import explain as explain
from dotnn.api import load as load
from dotnn.api import train as train

__version__: str
