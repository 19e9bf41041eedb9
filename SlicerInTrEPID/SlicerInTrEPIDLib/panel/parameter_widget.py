"""A module widget that follows the parameter node of a scene, which may be closed and replaced by another."""

import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

import slicer


class ParameterNodeWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """What Slicer asks of a module's widget as parameter nodes come and go.

    A module makes ``ui`` and ``logic`` (``getParameterNode``, ``propose``) in its ``setup``, which ends with
    `followScene`; it has the methods ``showParameters``, ``onParameters`` and ``forget``.
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def followScene(self):
        """Follow the scene from now on."""
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.initializeParameterNode()

    def enter(self):
        """Take up the parameter node, which another scene may have brought."""
        self.initializeParameterNode()

    def exit(self):
        """Stop following the parameter node."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event):
        """Let go of nodes that are about to vanish."""
        self.setParameterNode(None)
        self.forget()

    def onSceneEndClose(self, caller, event):
        """Start afresh if the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Follow the scene's parameter node; what the scene has only one choice for is proposed."""
        node = self.logic.getParameterNode()
        self.logic.propose(node)
        self.setParameterNode(node)

    def setParameterNode(self, node):
        """Connect widgets and node, after disconnecting the old one."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self._parameterNode = node
        if node:
            self._parameterNodeGuiTag = node.connectGui(self.ui)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self.showParameters(node)
