'use strict';
// The program: `node main.js` under a host, `node main.js describe` by hand.

const { serve } = require('./lib/serve');
const { Adapter } = require('./lib/adapter');

serve(new Adapter());
