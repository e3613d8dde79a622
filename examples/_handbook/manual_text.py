"""The text of the operator's manual, one entry for each page of running text."""

from __future__ import annotations

OVERVIEW = """
<h1>1 Overview of the machine</h1>
<p>The Corvex M4 is a vertical milling machine for single parts and small series in steel, aluminium and plastics. A
toothed belt drives the spindle; a carousel with twelve pockets holds the tools; a pump under the machine supplies
the coolant. This manual is for trained operators. Keep it at the machine.</p>
<p class="warning"><b>Warning.</b> Before any work inside the enclosure turn the main switch off, lock it with your own
padlock and hang the warning tag on it. The spindle can run on for up to 40 seconds.</p>
<p class="figure"><img src="machine.png" width="330"/></p>
<p class="caption">Figure 1: Corvex M4 from the front: 1 spindle head, 2 tool, 3 door, 4 control panel, 5 chip tray,
6 coolant tank</p>
<h2>1.1 Technical data</h2>
<table>
<tr><th>Property</th><th>Value</th></tr>
<tr><td>Travel X, Y, Z</td><td>560 mm, 410 mm, 460 mm</td></tr>
<tr><td>Spindle speed</td><td>60 to 9,000 rpm</td></tr>
<tr><td>Spindle motor</td><td>11 kW, belt ratio 1 : 1.7</td></tr>
<tr><td>Tool holder</td><td>SK 40, at most 7 kg</td></tr>
<tr><td>Coolant tank</td><td>180 litres</td></tr>
<tr><td>Connection</td><td>3 x 400 V, 50 Hz, 32 A; air 6 bar</td></tr>
<tr><td>Weight</td><td>3,450 kg</td></tr>
</table>
<p>The machine stands on six levelling feet. Check the level once a year and after every move; a twisted bed shortens
the life of guideways and ball screws.</p>
"""

SPINDLE = """
<h1>2 Spindle</h1>
<p>The shaft runs in one rear and two front angular contact bearings. A water jacket in the housing carries off the
heat. Disc springs pull the drawbar and hold the tool; a hydraulic cylinder on top releases it.</p>
<h2>2.1 Warm-up</h2>
<p>A cold spindle that is run at full speed loses its preload and wears early. Run the warm-up program O9010 at the
start of each shift and after every stop of more than four hours.</p>
<table>
<tr><th>Step</th><th>Speed</th><th>Time</th><th>Temperature of the front bearing</th></tr>
<tr><td>1</td><td>500 rpm</td><td>5 min</td><td>up to 25 °C</td></tr>
<tr><td>2</td><td>2,000 rpm</td><td>5 min</td><td>up to 32 °C</td></tr>
<tr><td>3</td><td>5,000 rpm</td><td>5 min</td><td>up to 40 °C</td></tr>
<tr><td>4</td><td>9,000 rpm</td><td>3 min</td><td>up to 48 °C</td></tr>
</table>
<p>If the temperature rises above 65 °C, the control stops the feed with alarm 2041. Let the spindle cool down without
coolant on the nose and find the cause before you go on.</p>
<h2>2.2 Lubrication of the bearings</h2>
<p>The bearings are filled with grease for life. Grease is not topped up: too much of it heats the bearing. Sealing air
at 0.6 bar keeps coolant and dust away. Never switch the sealing air off while coolant flows.</p>
<p>Listen to the spindle once a week at 3,000 rpm without a tool. A healthy spindle gives an even hum. Compare it with
the recording "Normal spindle" that belongs to this handbook and enter the result in the maintenance schedule.</p>
<h2>2.3 Clamping force of the drawbar</h2>
<p>Measure the clamping force every six months with the gauge CF-40. The nominal value is 12 kN. Below 9 kN the tool can
slip in the taper; have the set of disc springs replaced.</p>
<ul>
<li>Clean the taper and the gauge with a dry cloth.</li>
<li>Clamp the gauge three times and take the mean value.</li>
<li>Turn the gauge by a third of a turn and repeat.</li>
<li>Write the value, the date and the spindle hours into the log.</li>
</ul>
<p>The run-out at the taper must not exceed 0.003 mm at the nose and 0.010 mm at a test bar of 300 mm. Measure it after
every collision, even if no damage can be seen.</p>
"""

TOOL_CHANGER = """
<h1>3 Tool changer</h1>
<p>The carousel brings the next tool to the change position while the machine cuts. The swing arm then takes the old
tool out of the spindle and the new one out of its pocket, lifts both, turns by half a turn and sets them in. A change
takes 2.4 seconds.</p>
<p class="figure"><img src="tool_changer.png" width="330"/></p>
<p class="caption">Figure 2: Tool changer with carousel, twelve numbered pockets, swing arm and grippers</p>
<h2>3.1 Setting the swing arm</h2>
<p>Set the arm anew when a tool touches the edge of the taper, or after a collision. You need the setting mandrel SM-40
and a dial gauge.</p>
<ul>
<li>Choose <b>Service, Tool changer, Step mode</b> on the control panel.</li>
<li>Put the setting mandrel into pocket 1 and move the arm in steps to the spindle.</li>
<li>Loosen the four screws of the gripper plate, align mandrel and taper to within 0.05 mm, tighten to 22 Nm.</li>
<li>Repeat the change ten times in step mode, then ten times at half speed.</li>
</ul>
<p>Load long or heavy tools into every second pocket so that neighbours do not touch. Tools above 80 mm in diameter need
an empty pocket on both sides; enter them as <i>oversize</i> in the tool table.</p>
"""

COOLANT = """
<h1>4 Coolant system</h1>
<p>The pump P1 stands on the tank at the right and supplies 40 litres a minute at 4 bar. Chips are held back by a basket
and a bag filter. A float switch gives alarm 3105 when the level falls below 45 litres.</p>
<h2>4.1 Mixing the coolant</h2>
<p>Use water with a hardness between 1.0 and 2.5 mmol/l. Pour the concentrate into the water, never the water into the
concentrate, and stir. Measure with a refractometer; multiply the reading by the factor on the can.</p>
<table>
<tr><th>Material</th><th>Concentration</th><th>pH value</th></tr>
<tr><td>Aluminium</td><td>7 to 9 %</td><td>8.6 to 9.2</td></tr>
<tr><td>Steel</td><td>5 to 7 %</td><td>8.8 to 9.4</td></tr>
<tr><td>Cast iron</td><td>6 to 8 %</td><td>9.0 to 9.4</td></tr>
<tr><td>Plastics</td><td>4 to 5 %</td><td>8.6 to 9.2</td></tr>
</table>
<p>Replace the coolant when it smells, when the pH value falls below 8.4 or after twelve months. Wear gloves and
goggles; take used coolant to the collecting point for emulsions.</p>
<h2>4.2 Changing the mechanical seal of the pump</h2>
<p>A seal that drips more than ten drops a minute has to be changed. The numbers refer to the exploded view on the
next page.</p>
<ul>
<li>Lock out the main switch. Close the valve and take off the hose.</li>
<li>Loosen the six screws and lift the motor (1) with its flange (2) off the volute (7).</li>
<li>Hold the shaft, unscrew the impeller (6) and take off the cover (5).</li>
<li>Pull the seal ring (4) and the spring (3). Clean the shaft with alcohol; do not scratch it.</li>
<li>Press in the new seal ring with soapy water. Its faces must stay free of grease.</li>
<li>Assemble in reverse order, tighten crosswise to 9 Nm, fill the pump before the first start.</li>
</ul>
<p class="warning"><b>Caution.</b> The pump must never run dry, not even for a test of the direction of rotation: the
seal faces burn within seconds.</p>
"""

ALARMS = """
<h1>5 Control panel and alarms</h1>
<p>The panel carries the screen, the keys, two override knobs for feed and speed, start and hold, and the emergency
stop. The lamp on top is green while a program runs, yellow while the machine waits, and red on an alarm.</p>
<p>An alarm stops the feed; the screen shows its number and text. Remove the cause, press <b>Reset</b>, and start the
program again from a safe block. Write repeated alarms into the log.</p>
<h2>5.1 List of alarms</h2>
<table>
<tr><th>Number</th><th>Text</th><th>What to do</th></tr>
<tr><td>1007</td><td>Door not closed</td><td>Close the door; clean the door switch.</td></tr>
<tr><td>2041</td><td>Spindle temperature high</td><td>Let it cool down; check water jacket and preload.</td></tr>
<tr><td>2055</td><td>Belt slip</td><td>Check the belt tension: 68 Hz with a new belt.</td></tr>
<tr><td>3105</td><td>Coolant level low</td><td>Refill with mixed coolant; look for leaks.</td></tr>
<tr><td>3110</td><td>Coolant pressure low</td><td>Clean the bag filter; bleed the pump.</td></tr>
<tr><td>4020</td><td>Tool arm not in position</td><td>Step mode; move the arm to its home position.</td></tr>
<tr><td>5003</td><td>Air pressure low</td><td>Check the supply; at least 5.5 bar.</td></tr>
</table>
<h2>5.2 Spare parts</h2>
<table>
<tr><th>Part</th><th>Order number</th><th>In stock</th></tr>
<tr><td>Front bearing set, matched pair</td><td>M4-7014-P4</td><td>1 set</td></tr>
<tr><td>Toothed belt 960-8M-30</td><td>M4-B-0960</td><td>2</td></tr>
<tr><td>Mechanical seal for pump P1</td><td>M4-P-0104</td><td>2</td></tr>
<tr><td>Bag filter, 50 micrometres</td><td>M4-F-0050</td><td>10</td></tr>
<tr><td>Gripper finger with spring</td><td>M4-T-0212</td><td>4</td></tr>
<tr><td>Red alarm lamp, 24 V</td><td>M4-E-0024</td><td>2</td></tr>
</table>
<p>Order by number and machine serial number. Opened packages of bearings are not taken back: keep bearings sealed in
their oil paper until they are fitted.</p>
"""

PAGES = (OVERVIEW, SPINDLE, TOOL_CHANGER, COOLANT, ALARMS)
