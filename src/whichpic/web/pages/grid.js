// The list of pictures as one component: what of it changed is found here, and not sent element by element.
// Vue's own interpolation: nothing in a caption or a file name is markup. What is clicked is told by grid.py's listener.
export default {
  props: { tiles: Array, actions: Array, spoken: Boolean },
  template: `
    <ul>
      <li v-for="each in tiles" :key="each.id" class="tile" :class="each.held" :data-picture="each.id" :style="each.style">
        <button type="button" class="frame" data-do="open">
          <span v-if="spoken" class="caption">{{ each.alt }}</span>
          <img v-else :src="each.src" :srcset="each.srcset" :sizes="each.sizes" :alt="each.alt" :width="each.width"
               :height="each.height" :loading="each.eager ? 'eager' : 'lazy'" decoding="async">
          <span class="badge">{{ each.rank }}</span>
          <span class="tile-p">{{ each.p }}</span>
          <span v-if="each.alike" class="alike">{{ each.alike }}</span>
        </button>
        <div class="tile-actions">
          <button v-for="can in actions" :key="can.do" type="button" :data-do="can.do" :aria-label="can.label"
                  :title="can.label" :aria-pressed="can.holds ? String(each.held.includes(can.holds)) : undefined">
            <span :class="'icon icon-' + can.icon" aria-hidden="true"></span>
          </button>
        </div>
      </li>
    </ul>`,
};
